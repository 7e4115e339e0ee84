#include "machine/storage/open_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "common/bits.h"
#include "machine/storage/image_file.h"
#include "machine/storage/image_lock.h"
#include "machine/storage/image_tool.h"
#include "machine/storage/nbd_image.h"
#include "machine/storage/overlay_image.h"
#include "machine/storage/raw_image.h"
#include "machine/storage/read_only_image.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

using devices::BlockBackend;
using devices::BlockStatus;

constexpr u64 kCdromSectorBytes = 2048;

/// A drive without a medium.
class NoMedium final : public BlockBackend {
 public:
  u64 bytes() const override { return 0; }
  bool read_only() const override { return true; }
  BlockStatus read(u64, std::span<u8> into) override {
    std::ranges::fill(into, u8{0});
    return BlockStatus::OutOfRange;
  }
  BlockStatus write(u64, std::span<const u8>) override { return BlockStatus::OutOfRange; }
  BlockStatus flush() override { return BlockStatus::Ok; }
  BlockStatus discard(u64, u64) override { return BlockStatus::OutOfRange; }
};

/// One that is opened several times.
class SharedImage final : public BlockBackend {
 public:
  explicit SharedImage(std::shared_ptr<BlockBackend> image) : image_(std::move(image)) {}
  u64 bytes() const override { return image_->bytes(); }
  bool read_only() const override { return image_->read_only(); }
  BlockStatus read(u64 offset, std::span<u8> into) override { return image_->read(offset, into); }
  BlockStatus write(u64 offset, std::span<const u8> from) override { return image_->write(offset, from); }
  BlockStatus flush() override { return image_->flush(); }
  BlockStatus discard(u64 offset, u64 bytes) override { return image_->discard(offset, bytes); }
  devices::BlockGenerations* generations() override { return image_->generations(); }

 private:
  std::shared_ptr<BlockBackend> image_;
};

/// What a recording has nothing of.
class UnknownContent final : public ReadOnlyImage {
 public:
  explicit UnknownContent(u64 bytes) : bytes_(bytes) {}
  u64 bytes() const override { return bytes_; }
  BlockStatus read(u64, std::span<u8> into) override {
    std::ranges::fill(into, u8{0});
    return into.empty() ? BlockStatus::Ok : BlockStatus::ReadError;
  }

 private:
  const u64 bytes_;
};

std::string what_of(const DiskConfig& config) {
  if (config.media == DiskMedia::Cdrom) return "CD-ROM image";
  if (config.media == DiskMedia::Floppy) return "floppy image";
  return "disk image";
}

Result<Done> lock(const std::string& what, const ImageFile& file, ImageUse use) {
  if (lock_image(file.fd.get(), use) != LockResult::Busy) return Done{};
  return Error{
      use == ImageUse::Write
          ? fmt::format("{} '{}' is in use by another process, so it cannot be written: end that one first.",
                        what, file.path)
          : fmt::format("{} '{}' is being written by another process: end that one first.", what, file.path)};
}

/// True: through qemu-nbd. False: raw.
Result<bool> is_qcow2(const std::string& what, const ImageFile& file, const DiskConfig& config,
                      const RunFiles& files) {
  const bool floppy = config.media == DiskMedia::Floppy;
  const FormatKey key = floppy || config.media == DiskMedia::Cdrom ? FormatKey::Unknown : FormatKey::Taken;
  switch (config.format) {
    case DiskFormat::Raw: return false;
    case DiskFormat::Qcow2:
      if (file.kind == ImageKind::Qcow2) return true;
      return Error{fmt::format("{} '{}' is not a qcow2 image: leave out format=qcow2.", what, file.path)};
    case DiskFormat::Auto: break;
  }
  if (file.kind == ImageKind::Qcow2) return true;
  // It was looked at when the run was recorded, and its guest may have made of it what it wanted.
  if (files.repeated()) return false;
  // What a guest has encrypted as a whole is its own affair.
  if (file.kind != ImageKind::Raw && file.kind != ImageKind::Luks)
    return foreign_format_error(what, file, key);
  TRY(check_is_medium(what, file, floppy ? FileUse::Floppy : FileUse::Disk, key));
  return false;
}

/// What qemu-nbd would refuse in words of its own.
Result<Done> check_qcow2(const ImageFile& file, FileAccess access) {
  const Qcow2Header header = TRY(read_qcow2_header(file));
  if (header.encrypted) {
    return Error{
        fmt::format("disk image '{}' is encrypted: decrypt it with 'qemu-img convert' first.", file.path)};
  }
  if (header.corrupt && access == FileAccess::ReadWrite) {
    return Error{fmt::format(
        "disk image '{}' is marked as corrupt, so it cannot be written: repair it with 'qemu-img check "
        "-r all'.",
        file.path)};
  }
  TRY(backing_chain_of(file));
  return Done{};
}

Result<std::unique_ptr<BlockBackend>> open_qcow2(const std::string& what, ImageFile file, FileAccess access) {
  TRY(check_qcow2(file, access));
  // qemu-nbd takes the same locks itself: only look whether they can be had.
  TRY(lock(what, file, access == FileAccess::ReadWrite ? ImageUse::Write : ImageUse::Read));
  const std::string path = file.path;
  file.fd.close();
  return std::unique_ptr<BlockBackend>(TRY(NbdImage::open(
      path, "qcow2",
      access == FileAccess::ReadWrite ? NbdImage::Access::ReadWrite : NbdImage::Access::ReadOnly)));
}

/// A kept overlay over the image: made when missing, checked when not.
Result<std::unique_ptr<BlockBackend>> open_kept_overlay(const DiskConfig& config, const ImageFile& base,
                                                        bool base_is_qcow2) {
  std::error_code error;
  const std::string& path = config.overlay_path;
  if (!std::filesystem::exists(path, error)) {
    TRY(create_qcow2({.path = path,
                      .backing_path = config.path,
                      .backing_format = base_is_qcow2 ? "qcow2" : "raw",
                      .bytes = std::nullopt}));
  }
  if (is_same_file(path, config.path))
    return Error{fmt::format("overlay '{}' is the disk image itself: give another file.", path)};
  ImageFile file = TRY(open_image_file("overlay", path, FileAccess::ReadWrite));
  if (file.kind != ImageKind::Qcow2)
    return Error{
        fmt::format("overlay '{}' is not a qcow2 image: give a file that does not exist yet.", path)};
  const std::string backing = TRY(read_qcow2_header(file)).backing_file;
  const std::string backing_path = backing.empty() ? std::string() : TRY(backing_path_of(path, backing));
  if (backing.empty() || !is_same_file(backing_path, base.path)) {
    return Error{
        fmt::format("overlay '{}' does not lie over '{}' but over {}: give the overlay of that image.", path,
                    base.path, backing.empty() ? "nothing" : fmt::format("'{}'", backing_path))};
  }
  return open_qcow2("overlay", std::move(file), FileAccess::ReadWrite);
}

/// The image behind `config`, opened: raw or qcow2, for reading or also for writing.
Result<std::unique_ptr<BlockBackend>> open_content(const DiskConfig& config, const std::string& what,
                                                   ImageFile file, bool qcow2, bool cdrom,
                                                   FileAccess access) {
  if (qcow2) return open_qcow2(what, std::move(file), access);
  const bool writes = access == FileAccess::ReadWrite;
  TRY(lock(what, file, writes ? ImageUse::Write : ImageUse::Read));
  const u64 multiple_bytes = cdrom ? kCdromSectorBytes : BlockBackend::kSectorBytes;
  const u64 file_bytes = file.file_bytes;
  return std::unique_ptr<BlockBackend>(std::make_unique<RawImage>(
      std::move(file.fd), file_bytes, multiple_bytes,
      writes ? RawImage::Access::ReadWrite : RawImage::Access::ReadOnly,
      config.format == DiskFormat::Raw ? RawImage::FirstSector::Free : RawImage::FirstSector::Guarded));
}

/// In a run that is repeated: what the file of that whole name held at the beginning of the run, of which it now holds `image`.
std::unique_ptr<BlockBackend> as_it_was(const RunFiles& files, const std::string& name,
                                        std::unique_ptr<BlockBackend> image) {
  if (std::shared_ptr<const FilePieces> pieces = files.earlier(name))
    image = std::make_unique<EarlierImage>(std::move(image), std::move(pieces));
  if (files.collector())
    image = std::make_unique<CollectedImage>(std::move(image), files.collector()->reads, name);
  return image;
}

/// In a run that is repeated: over `image`, which is not written, what the run writes to the file of that whole name.
Result<std::unique_ptr<BlockBackend>> written_apart(RunFiles& files, const std::string& name,
                                                    std::unique_ptr<BlockBackend> image) {
  std::shared_ptr<BlockBackend> written = TRY(OverlayImage::create(as_it_was(files, name, std::move(image))));
  files.keep_written(name, written);
  return std::unique_ptr<BlockBackend>(std::make_unique<SharedImage>(std::move(written)));
}

/// The kept overlay of a run that is repeated, which is not written. One that the run made, and that is gone, held nothing.
Result<std::unique_ptr<BlockBackend>> open_overlay_again(const DiskConfig& config, ImageFile base,
                                                         bool base_is_qcow2, RunFiles& files) {
  if (!files.exists(config.overlay_path))
    return open_content(config, what_of(config), std::move(base), base_is_qcow2, false, FileAccess::Read);
  ImageFile file = TRY(open_image_file("overlay", files.place_of(config.overlay_path), FileAccess::Read));
  if (file.kind != ImageKind::Qcow2)
    return Error{fmt::format("overlay '{}' is not a qcow2 image any more.", config.overlay_path)};
  return open_qcow2("overlay", std::move(file), FileAccess::Read);
}

/// An image of whose content a recording has what its run read.
Result<Done> open_packed(const DiskConfig& config, const std::string& name, const RunFiles& files,
                         OpenedImage& out) {
  const PackedFile* const packed = files.packed(name);
  if (packed == nullptr || !packed->media)
    return Error{fmt::format("{} '{}' is not in the recording, which has all that its run read.",
                             what_of(config), config.path)};
  out.media = *packed->media;
  out.format = packed->format;
  out.file_bytes = packed->file_bytes;
  out.modified_unix_ns = packed->modified_unix_ns;
  out.medium = std::make_unique<UnknownContent>(align_down(packed->bytes, BlockBackend::kSectorBytes));
  return Done{};
}

/// The files of this host.
Result<Done> open_files(const DiskConfig& config, const std::string& name, RunFiles& files,
                        OpenedImage& out) {
  const std::string what = what_of(config);
  const bool to_overlay = !config.overlay_path.empty();
  const FileAccess access =
      config.write_through && !files.repeated() ? FileAccess::ReadWrite : FileAccess::Read;
  if (files.may_be_moved() && !files.exists(config.path))
    return Error{fmt::format("{} '{}' does not exist{}.", what, config.path, files.how_to_move(config.path))};
  ImageFile file = TRY(open_image_file(what, files.place_of(config.path), access));
  const bool qcow2 = TRY(is_qcow2(what, file, config, files));
  out.format = qcow2 ? "qcow2" : "raw";
  out.file_bytes = file.file_bytes;
  out.modified_unix_ns = file.modified_unix_ns;
  if (!qcow2 && file.iso9660) {
    out.format = "ISO 9660";
    // An image that a disk's options were given for is to be a disk.
    if (!config.media && !config.write_through && !to_overlay && config.bus != DiskBus::Virtio)
      out.media = DiskMedia::Cdrom;
  }
  if (files.written(name) != nullptr) {
    // What lies over it is there already.
    out.medium = std::make_unique<UnknownContent>(0);
  } else if (to_overlay) {
    if (qcow2) TRY(check_qcow2(file, FileAccess::Read));
    out.medium = TRY(files.repeated() ? open_overlay_again(config, std::move(file), qcow2, files)
                                      : open_kept_overlay(config, file, qcow2));
  } else {
    out.medium =
        TRY(open_content(config, what, std::move(file), qcow2, out.media == DiskMedia::Cdrom, access));
  }
  return Done{};
}

}  // namespace

Result<OpenedImage> open_image(const DiskConfig& config, std::shared_ptr<RunFiles> files) {
  if (files == nullptr) files = std::make_shared<RunFiles>();
  OpenedImage out;
  out.media = config.media.value_or(DiskMedia::Disk);
  if (config.path.empty()) {
    out.medium = std::make_unique<NoMedium>();
    return out;
  }
  const bool to_overlay = !config.overlay_path.empty();
  const bool kept = to_overlay || config.write_through;
  const std::string& kept_path = to_overlay ? config.overlay_path : config.path;
  const std::string name = files->whole_name(kept_path);
  const bool packed = files->is_packed() && !files->is_moved(kept_path);
  TRY(packed ? open_packed(config, name, *files, out) : open_files(config, name, *files, out));
  if (files->collector() && files->written(name) == nullptr)
    files->collector()->opened(name, {.bytes = out.medium->bytes(),
                                      .media = out.media,
                                      .format = out.format,
                                      .file_bytes = out.file_bytes,
                                      .modified_unix_ns = out.modified_unix_ns});
  if (std::shared_ptr<BlockBackend> written = files->written(name)) {
    out.medium = std::make_unique<SharedImage>(std::move(written));
  } else if (files->repeated()) {
    out.medium = as_it_was(*files, name, std::move(out.medium));
    if (kept) out.medium = TRY(written_apart(*files, name, std::move(out.medium)));
  } else if (kept) {
    out.medium = std::make_unique<WrittenThroughImage>(std::move(out.medium), files->first_writes(), name);
    if (files->keeps_history())
      out.medium = TRY(OverlayImage::over_written(std::move(out.medium), files->repeats()));
  }

  out.medium = std::make_unique<DigestedImage>(std::move(out.medium), out.read);
  if (to_overlay) {
    out.writes = fmt::format("writes go to '{}'", config.overlay_path);
  } else if (out.media == DiskMedia::Cdrom) {
    out.writes = "read-only";
  } else if (config.write_through) {
    out.writes = "writes go to the image";
  } else {
    out.medium = TRY(OverlayImage::create(std::move(out.medium)));
    out.writes = "writes are gone with the run";
  }
  return out;
}

}  // namespace reprise::machine
