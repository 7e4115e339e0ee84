#include "machine/storage/host_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/hash.h"
#include "machine/storage/near_name.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

std::string place_of(RunFiles* files, const std::string& path) {
  return files != nullptr ? files->place_of(path) : path;
}

/// The file that the user knows as `path` is at `place`.
Result<u64> bytes_at(const std::string& what, const std::string& path, const std::string& place,
                     const RunFiles* files) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(place, error);
  if (status.type() == fs::file_type::not_found)
    return Error{
        fmt::format("{} '{}' does not exist{}.", what, path,
                    files != nullptr && files->may_be_moved() ? files->how_to_move(path) : near_name(path))};
  if (error) return Error{fmt::format("{} '{}' cannot be read: {}.", what, path, error.message())};
  if (status.type() == fs::file_type::directory)
    return Error{fmt::format("{} '{}' is a folder.", what, path)};
  if (status.type() != fs::file_type::regular)
    return Error{fmt::format("{} '{}' is not a regular file.", what, path)};
  const u64 size = fs::file_size(place, error);
  if (error) return Error{fmt::format("{} '{}' cannot be read: {}.", what, path, error.message())};
  if (size == 0) return Error{fmt::format("{} '{}' is empty.", what, path)};
  return size;
}

Result<std::vector<u8>> head_at(const std::string& what, const std::string& path, const std::string& place,
                                u64 max_bytes, const RunFiles* files) {
  const u64 size = std::min(TRY(bytes_at(what, path, place, files)), max_bytes);
  errno = 0;
  std::ifstream file(place, std::ios::binary);
  if (!file) return Error{fmt::format("{} '{}' cannot be read: {}.", what, path, std::strerror(errno))};
  std::vector<u8> bytes(size);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (static_cast<u64>(file.gcount()) != size)
    return Error{fmt::format("{} '{}' cannot be read to its end.", what, path)};
  return bytes;
}

}  // namespace

Result<u64> host_file_bytes(const std::string& what, const std::string& path, RunFiles* files) {
  return bytes_at(what, path, place_of(files, path), files);
}

Result<std::vector<u8>> read_host_head(const std::string& what, const std::string& path, u64 max_bytes,
                                       RunFiles* files) {
  return head_at(what, path, place_of(files, path), max_bytes, files);
}

Result<std::vector<u8>> read_host_file(const std::string& what, const std::string& path, u64 max_bytes,
                                       RunFiles* files) {
  const std::string place = place_of(files, path);
  const u64 size = TRY(bytes_at(what, path, place, files));
  if (size > max_bytes) {
    return Error{fmt::format(
        "{} '{}' is too big for the guest's memory ({} bytes, {} available): give a larger --memory.", what,
        path, size, max_bytes)};
  }
  std::vector<u8> bytes = TRY(head_at(what, path, place, size, files));
  if (bytes.size() != size) return Error{fmt::format("{} '{}' changed while it was read.", what, path)};
  if (files != nullptr) {
    struct stat info = {};
    const i64 modified =
        stat(place.c_str(), &info) == 0 ? i64{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec : 0;
    files->note_read({what, path, size, modified, hash64(bytes)});
    files->collect_file(path, bytes);
  }
  return bytes;
}

}  // namespace reprise::machine
