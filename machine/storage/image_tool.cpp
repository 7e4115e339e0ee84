#include "machine/storage/image_tool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "machine/storage/host_program.h"
#include "machine/storage/image_file.h"
#include "machine/storage/image_lock.h"

namespace reprise::machine {
namespace {

std::string absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path out = std::filesystem::absolute(path, error);
  return error ? path : out.string();
}

Error exists_error(const std::string& path) {
  return Error{fmt::format("'{}' exists already: remove it first, or give another name.", path)};
}

bool exists(const std::string& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0;
}

Result<std::string> find_qemu_img() { return find_program("qemu-img", "qemu-utils", "qcow2 images need it"); }

ImageInfo info_of(const ImageFile& file) {
  ImageInfo info;
  info.path = file.path;
  info.format =
      file.iso9660 && file.kind == ImageKind::Raw ? "raw (ISO 9660)" : std::string(name_of(file.kind));
  info.qemu_format = qemu_name_of(file.kind);
  info.virtual_bytes = file.file_bytes;
  info.allocated_bytes = file.allocated_bytes;
  info.iso9660 = file.iso9660;
  return info;
}

}  // namespace

Result<Done> create_qcow2(const NewQcow2& image) {
  const std::string program = TRY(find_qemu_img());
  if (exists(image.path)) return exists_error(image.path);
  std::vector<std::string> words = {program, "create", "-q", "-f", "qcow2"};
  if (!image.backing_path.empty()) {
    words.insert(words.end(), {"-b", absolute(image.backing_path), "-F", image.backing_format});
  }
  words.insert(words.end(), {"--", absolute(image.path)});
  if (image.bytes) words.push_back(fmt::format("{}", *image.bytes));
  const ProgramResult result = TRY(run_program(words));
  if (result.exit_code == 0) return Done{};
  return Error{fmt::format("'{}' could not be made: {}.", image.path,
                           result.signal != 0 ? "a signal came" : last_complaint(result.errors))};
}

Result<Done> create_raw(const std::string& path, u64 bytes) {
  const HostFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd && errno == EEXIST) return exists_error(path);
  if (fd && ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0) return Done{};
  const int error = errno;
  if (fd) unlink(path.c_str());
  return Error{fmt::format("'{}' could not be made: {}.", path, std::strerror(error))};
}

Result<std::vector<ImageInfo>> describe_image(const std::string& path) {
  std::vector<ImageInfo> out;
  const ImageFile file = TRY(open_image_file("image", path, FileAccess::Read));
  std::vector<std::string> chain = {path};
  if (file.kind == ImageKind::Qcow2) {
    for (const std::string& backing : TRY(backing_chain_of(file))) chain.push_back(backing);
  }
  for (const std::string& link : chain) {
    const ImageFile part = TRY(open_image_file("image", link, FileAccess::Read));
    ImageInfo info = info_of(part);
    if (part.kind == ImageKind::Qcow2) {
      const Qcow2Header header = TRY(read_qcow2_header(part));
      info.virtual_bytes = header.virtual_bytes;
      info.cluster_bytes = header.cluster_bytes;
      info.dirty = header.dirty;
      info.corrupt = header.corrupt;
      info.encrypted = header.encrypted;
    }
    out.push_back(std::move(info));
  }
  return out;
}

Result<std::string> commit_image(const std::string& path, Progress progress) {
  const std::string program = TRY(find_qemu_img());
  ImageFile file = TRY(open_image_file("image", path, FileAccess::ReadWrite));
  if (file.kind != ImageKind::Qcow2)
    return Error{fmt::format("image '{}' is {}, not a qcow2 overlay: there is nothing to commit.", path,
                             name_of(file.kind))};
  const std::vector<std::string> chain = TRY(backing_chain_of(file));
  if (chain.empty())
    return Error{fmt::format("image '{}' lies over no other: there is nothing to commit.", path)};
  if (lock_image(file.fd.get(), ImageUse::Write) == LockResult::Busy)
    return Error{fmt::format("image '{}' is in use by another process: end that one first.", path)};
  const std::string& base = chain.front();
  {
    const ImageFile base_file = TRY(open_image_file("image", base, FileAccess::ReadWrite));
    if (lock_image(base_file.fd.get(), ImageUse::Write) == LockResult::Busy)
      return Error{fmt::format("image '{}' is in use by another process: end that one first.", base)};
  }
  file.fd.close();
  std::vector<std::string> words = {program, "commit", "-f", "qcow2"};
  words.emplace_back(progress == Progress::Shown ? "-p" : "-q");
  words.insert(words.end(), {"--", absolute(path)});
  const ProgramResult result =
      TRY(run_program(words, progress == Progress::Shown ? Output::Inherited : Output::Captured));
  if (result.exit_code == 0) return base;
  if (result.signal != 0)
    return Error{fmt::format(
        "image '{}' is not wholly committed into '{}', because a signal came: the overlay still holds all of "
        "it, commit it again before '{}' is used alone.",
        path, base, base)};
  return Error{fmt::format("image '{}' could not be committed into '{}': {}.", path, base,
                           last_complaint(result.errors))};
}

}  // namespace reprise::machine
