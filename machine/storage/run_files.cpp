#include "machine/storage/run_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/bits.h"
#include "common/zeros.h"

namespace reprise::machine {
namespace {

constexpr u64 kCopyBytes = FirstTouches::kPieceBytes;
/// So that the name of a file that is not there is that of no file.
constexpr const char* kNowhere = "/proc/self/fd/-1";

/// A file without a name that holds what `pieces` say, else zeros. Without a descriptor when that is not possible.
HostFd unpack(const FilePieces* pieces, u64 bytes) {
  HostFd file = open_unnamed_file();
  if (!file || ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) return {};
  std::vector<u8> buffer;
  for (u64 at = 0; pieces != nullptr && at < bytes; at += buffer.size()) {
    bool known = false;
    const u64 run = pieces->run(at, bytes - at, known);
    if (!known) {
      buffer.clear();
      at += run;
      continue;
    }
    buffer.resize(std::min(kCopyBytes, run));
    if (pieces->read(at, buffer) != devices::BlockStatus::Ok) return {};
    if (!all_zero(buffer) && host_write(file.get(), at, buffer) != devices::BlockStatus::Ok) return {};
  }
  return file;
}

/// The one of `moved` that a file is, which is called `path`, and by all its folders `whole`; nullptr: none.
const MovedFile* find_moved(std::span<const MovedFile> moved, const std::string& path,
                            const std::string& whole) {
  const auto found = std::ranges::find_if(moved, [&](const MovedFile& one) {
    return one.name == path || one.name == whole ||
           one.name == std::filesystem::path(path).filename().string();
  });
  return found == moved.end() ? nullptr : &*found;
}

}  // namespace

std::string RunFiles::whole_name(const std::string& path) const {
  std::error_code error;
  std::filesystem::path folder = folder_;
  if (folder.empty()) folder = std::filesystem::current_path(error);
  return (folder / path).lexically_normal().string();
}

const MovedFile* RunFiles::moved(const std::string& path) {
  const MovedFile* const found = find_moved(moved_, path, whole_name(path));
  if (found != nullptr) used_.insert(found->name);
  return found;
}

std::string RunFiles::place_of(const std::string& path) {
  if (const MovedFile* const moved_to = moved(path)) return moved_to->path;
  if (!is_packed()) return repeated_ ? whole_name(path) : path;
  const std::string name = whole_name(path);
  const PackedFile* const file = packed(name);
  if (file == nullptr) return kNowhere;
  const auto [at, is_new] = unpacked_.try_emplace(name);
  if (is_new) at->second = unpack(earlier(name).get(), file->bytes);
  return at->second ? fmt::format("/proc/self/fd/{}", at->second.get()) : kNowhere;
}

std::string RunFiles::how_to_move(const std::string& path) const {
  if (const MovedFile* const moved_to = find_moved(moved_, path, whole_name(path)))
    return fmt::format(", nor does '{}', which --image {}= names", moved_to->path, moved_to->name);
  if (is_packed()) return ", and the recording does not have it";
  return fmt::format(": if it is elsewhere now, say so by --image {}=PATH",
                     std::filesystem::path(path).filename().string());
}

bool RunFiles::exists(const std::string& path) {
  if (is_packed() && moved(path) == nullptr) return packed(whole_name(path)) != nullptr;
  std::error_code error;
  return std::filesystem::exists(place_of(path), error);
}

std::vector<std::string> RunFiles::unused_names() const {
  std::vector<std::string> names;
  for (const MovedFile& one : moved_)
    if (!used_.contains(one.name)) names.push_back(one.name);
  return names;
}

const PackedFile* RunFiles::packed(const std::string& name) const {
  const auto found = recorded_.packed.find(name);
  return found == recorded_.packed.end() ? nullptr : &found->second;
}

std::shared_ptr<const FilePieces> RunFiles::earlier(const std::string& name) const {
  const auto found = recorded_.pieces.find(name);
  return found == recorded_.pieces.end() ? nullptr : found->second;
}

std::shared_ptr<devices::BlockBackend> RunFiles::written(const std::string& name) const {
  const auto found = written_.find(name);
  return found == written_.end() ? nullptr : found->second;
}

void RunFiles::collect_file(const std::string& path, std::span<const u8> content) const {
  if (!collector_) return;
  const std::string name = whole_name(path);
  collector_->opened(name, {.bytes = content.size(), .file_bytes = content.size()});
  collector_->reads->before(name, 0, align_up(content.size(), devices::BlockBackend::kSectorBytes),
                            [&](u64 at, std::span<u8> into) {
                              std::ranges::fill(into, u8{0});
                              const auto part =
                                  content.subspan(at, std::min<u64>(into.size(), content.size() - at));
                              std::ranges::copy(part, into.begin());
                              return devices::BlockStatus::Ok;
                            });
}

Result<Done> RunFiles::collect_file(const std::string& path, int fd) const {
  struct stat status = {};
  if (fstat(fd, &status) != 0) return Error{fmt::format("'{}' cannot be read.", path)};
  const auto bytes = static_cast<u64>(status.st_size);
  const std::string name = whole_name(path);
  collector_->opened(name, {.bytes = bytes, .file_bytes = bytes});
  bool whole = true;
  collector_->reads->before(name, 0, align_up(bytes, devices::BlockBackend::kSectorBytes),
                            [&](u64 at, std::span<u8> into) {
                              std::ranges::fill(into, u8{0});
                              const HostRead done = host_read(fd, at, into);
                              whole = whole && done.status == devices::BlockStatus::Ok &&
                                      done.bytes >= std::min<u64>(into.size(), bytes - at);
                              return done.status;
                            });
  if (!whole) return Error{fmt::format("'{}' cannot be read to its end.", path)};
  return Done{};
}

}  // namespace reprise::machine
