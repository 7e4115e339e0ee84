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

namespace reprise::machine {

Result<u64> host_file_bytes(const std::string& what, const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found)
    return Error{fmt::format("{} '{}' does not exist{}.", what, path, near_name(path))};
  if (error) return Error{fmt::format("{} '{}' cannot be read: {}.", what, path, error.message())};
  if (status.type() == fs::file_type::directory)
    return Error{fmt::format("{} '{}' is a folder.", what, path)};
  if (status.type() != fs::file_type::regular)
    return Error{fmt::format("{} '{}' is not a regular file.", what, path)};
  const u64 size = fs::file_size(path, error);
  if (error) return Error{fmt::format("{} '{}' cannot be read: {}.", what, path, error.message())};
  if (size == 0) return Error{fmt::format("{} '{}' is empty.", what, path)};
  return size;
}

Result<std::vector<u8>> read_host_head(const std::string& what, const std::string& path, u64 max_bytes) {
  const u64 size = std::min(TRY(host_file_bytes(what, path)), max_bytes);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{fmt::format("{} '{}' cannot be read: {}.", what, path, std::strerror(errno))};
  std::vector<u8> bytes(size);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (static_cast<u64>(file.gcount()) != size)
    return Error{fmt::format("{} '{}' cannot be read to its end.", what, path)};
  return bytes;
}

Result<std::vector<u8>> read_host_file(const std::string& what, const std::string& path, u64 max_bytes,
                                       std::vector<FileRead>* files) {
  const u64 size = TRY(host_file_bytes(what, path));
  if (size > max_bytes) {
    return Error{fmt::format(
        "{} '{}' is too big for the guest's memory ({} bytes, {} available): give a larger --memory.", what,
        path, size, max_bytes)};
  }
  std::vector<u8> bytes = TRY(read_host_head(what, path, size));
  if (bytes.size() != size) return Error{fmt::format("{} '{}' changed while it was read.", what, path)};
  if (files != nullptr) {
    struct stat info = {};
    const i64 modified =
        stat(path.c_str(), &info) == 0 ? i64{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec : 0;
    files->push_back({what, path, size, modified, hash64(bytes)});
  }
  return bytes;
}

}  // namespace reprise::machine
