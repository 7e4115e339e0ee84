#include "machine/storage/image_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/check.h"
#include "machine/storage/near_name.h"

namespace reprise::machine {
namespace {

constexpr std::size_t kMaxBackingDepth = 64;

Error access_error(const std::string& what, const std::string& path, FileAccess access, int error) {
  if (error == ENOENT) return Error{fmt::format("{} '{}' does not exist{}.", what, path, near_name(path))};
  if (access == FileAccess::ReadWrite &&
      (error == EACCES || error == EPERM || error == EROFS || error == ETXTBSY))
    return Error{fmt::format("{} '{}' cannot be written ({}): leave out write=yes, or make it writable.",
                             what, path, std::strerror(error))};
  return Error{fmt::format("{} '{}' cannot be opened: {}.", what, path, std::strerror(error))};
}

/// "nbd:", "https:", "json:" in front, as QEMU tells a URL from a file.
bool has_protocol(std::string_view name) {
  const std::size_t end = name.find_first_of(":/");
  return end != std::string_view::npos && end != 0 && name[end] == ':';
}

}  // namespace

Result<ImageFile> open_image_file(const std::string& what, const std::string& path, FileAccess access) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return access_error(what, path, access, errno);
  if (S_ISDIR(status.st_mode)) return Error{fmt::format("{} '{}' is a folder.", what, path)};
  ImageFile file;
  file.path = path;
  file.block_device = S_ISBLK(status.st_mode);
  if (!S_ISREG(status.st_mode) && !file.block_device)
    return Error{fmt::format("{} '{}' is neither a regular file nor a block device.", what, path)};
  // O_NONBLOCK: a file that has become a pipe since must not hang us. It means nothing to files and disks.
  file.fd = HostFd(open(path.c_str(), (access == FileAccess::ReadWrite ? O_RDWR : O_RDONLY) | O_CLOEXEC |
                                          O_NONBLOCK | O_NOCTTY));
  if (!file.fd) return access_error(what, path, access, errno);
  const off_t end = lseek(file.fd.get(), 0, SEEK_END);
  if (end < 0) return access_error(what, path, access, errno);
  file.file_bytes = static_cast<u64>(end);
  file.modified_unix_ns = i64{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  file.allocated_bytes = file.block_device ? file.file_bytes : static_cast<u64>(status.st_blocks) * 512;
  if (file.file_bytes == 0) return Error{fmt::format("{} '{}' is empty.", what, path)};

  std::array<u8, kProbeBytes> head{};
  const HostRead first = host_read(file.fd.get(), 0, head);
  std::array<u8, kIsoProbeBytes> descriptor{};
  const HostRead second = host_read(file.fd.get(), kIsoDescriptorOffset, descriptor);
  if (first.status != devices::BlockStatus::Ok || second.status != devices::BlockStatus::Ok)
    return Error{fmt::format("{} '{}' cannot be read.", what, path)};
  file.kind = probe_image(std::span(head).first(first.bytes));
  file.iso9660 = is_iso9660(std::span(descriptor).first(second.bytes));
  return file;
}

Result<Qcow2Header> read_qcow2_header(const ImageFile& file) {
  std::vector<u8> head(std::min(file.file_bytes, kQcow2HeadBytes));
  const HostRead done = host_read(file.fd.get(), 0, head);
  if (done.status != devices::BlockStatus::Ok)
    return Error{fmt::format("disk image '{}' cannot be read.", file.path)};
  Result<Qcow2Header> header = parse_qcow2_header(std::span(head).first(done.bytes), file.file_bytes);
  if (!header) {
    return Error{fmt::format(
        "disk image '{}' is a damaged qcow2 image ({}): copy it again from where it came, or give "
        "format=raw if it is none.",
        file.path, header.error().message)};
  }
  return header;
}

Error foreign_format_error(const std::string& what, const ImageFile& file, FormatKey key) {
  const bool takes_raw = key == FormatKey::Taken;
  if (const std::string_view unpacker = unpacker_of(file.kind); !unpacker.empty()) {
    return Error{fmt::format("{} '{}' is packed with {}: unpack it first ({}){}.", what, file.path,
                             name_of(file.kind), unpacker,
                             takes_raw ? ", or give format=raw if it is a raw disk" : "")};
  }
  if (const std::string_view format = qemu_name_of(file.kind); !format.empty()) {
    return Error{fmt::format(
        "{} '{}' is a {} image, which is not supported: convert it with 'qemu-img convert -f {} -O qcow2' "
        "(Debian's package qemu-utils).",
        what, file.path, name_of(file.kind), format)};
  }
  UNREACHABLE();
}

Result<Done> check_is_medium(const std::string& what, const ImageFile& file, FileUse use, FormatKey key) {
  std::vector<u8> head(std::min(file.file_bytes, kFileKindBytes));
  const HostRead done = host_read(file.fd.get(), 0, head);
  const FileKind* kind = misplaced_file(std::span(head).first(done.bytes), use);
  if (kind == nullptr) return Done{};
  return Error{fmt::format("{} '{}' is {}: {}{}.", what, file.path, kind->what, kind->advice,
                           key == FormatKey::Taken ? ", or add format=raw to use its bytes as a disk" : "")};
}

Result<std::string> backing_path_of(const std::string& image_path, const std::string& backing) {
  if (has_protocol(backing)) {
    return Error{fmt::format(
        "disk image '{}' has the backing file '{}', which is no local file: copy that one here and "
        "use 'qemu-img rebase'.",
        image_path, backing)};
  }
  const std::filesystem::path name(backing);
  return name.is_absolute() ? backing : (std::filesystem::path(image_path).parent_path() / name).string();
}

Result<std::vector<std::string>> backing_chain_of(const ImageFile& file) {
  std::vector<std::string> chain;
  std::string path = file.path;
  std::string backing = TRY(read_qcow2_header(file)).backing_file;
  while (!backing.empty()) {
    if (chain.size() == kMaxBackingDepth) {
      return Error{fmt::format("disk image '{}' has more than {} backing files, or is its own.", file.path,
                               kMaxBackingDepth)};
    }
    path = TRY(backing_path_of(path, backing));
    chain.push_back(path);
    const ImageFile next = TRY(
        open_image_file(fmt::format("backing file of disk image '{}',", file.path), path, FileAccess::Read));
    backing = next.kind == ImageKind::Qcow2 ? TRY(read_qcow2_header(next)).backing_file : std::string();
  }
  return chain;
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

}  // namespace reprise::machine
