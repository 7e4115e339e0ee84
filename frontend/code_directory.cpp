#include "frontend/code_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "frontend/code_mark.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/new_file.h"

namespace reprise::frontend {

using machine::HostFd;

namespace {

constexpr std::string_view kSuffix = ".code";
constexpr std::size_t kKeyBytes = 32;
constexpr u64 kMostBytes = u64{2} << 30;

/// It is this user's, and nobody else may write it.
bool ours(const struct stat& file) {
  return file.st_uid == geteuid() && (file.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

Error cannot(const std::string& path, std::string_view why) {
  return wrong_usage(fmt::format("--code-cache-dir: '{}' {}.", path, why));
}

/// All of an open file, at most `most` bytes.
std::optional<std::vector<u8>> read_all(int fd, u64 bytes, u64 most) {
  if (bytes > most) return std::nullopt;
  std::vector<u8> all(bytes);
  const machine::HostRead read = machine::host_read(fd, 0, all);
  if (read.status != devices::BlockStatus::Ok || read.bytes != bytes) return std::nullopt;
  return all;
}

/// The folder's key: made by whoever comes first.
Result<std::vector<u8>> key_of(const std::string& folder) {
  const std::string path = folder + "/key";
  for (const bool again : {false, true}) {
    const HostFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file) {
      struct stat about {};
      const bool secret = fstat(file.get(), &about) == 0 && S_ISREG(about.st_mode) && ours(about) &&
                          (about.st_mode & (S_IRGRP | S_IROTH)) == 0;
      if (!secret) return cannot(path, "can be read or written by others; remove it, and all code beside it");
      std::optional<std::vector<u8>> key = read_all(file.get(), static_cast<u64>(about.st_size), kKeyBytes);
      if (!key || key->size() != kKeyBytes)
        return cannot(path, "is no key; remove it, and all code beside it");
      return std::move(*key);
    }
    if (errno != ENOENT || again)
      return cannot(path, fmt::format("cannot be opened: {}", std::strerror(errno)));
    // Under another name until it is whole; of several at a time one stays.
    const std::string made = fmt::format("{}.{}", path, getpid());
    const HostFd fresh(::open(made.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    u8 key[kKeyBytes];
    const bool written = fresh && getrandom(key, sizeof key, 0) == static_cast<ssize_t>(sizeof key) &&
                         ::write(fresh.get(), key, sizeof key) == static_cast<ssize_t>(sizeof key);
    const int number = errno;
    if (written) (void)link(made.c_str(), path.c_str());
    unlink(made.c_str());
    if (!written) return cannot(path, fmt::format("cannot be written: {}", std::strerror(number)));
  }
  return cannot(path, "cannot be made");
}

}  // namespace

Result<std::shared_ptr<CodeDirectory>> CodeDirectory::open(std::string path, std::string build,
                                                           std::function<void(std::string)> tell) {
  if (code_mark(std::vector<u8>(kKeyBytes), {}, {}).empty())
    return wrong_usage("--code-cache-dir: this build has no libcrypto (Debian: libssl-dev), which it needs.");
  if (build.empty())
    return wrong_usage(
        "--code-cache-dir: this program does not know which build it is: link it with --build-id.");
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return cannot(path, fmt::format("cannot be made: {}", std::strerror(errno)));
  struct stat about {};
  if (stat(path.c_str(), &about) != 0)
    return cannot(path, fmt::format("cannot be used: {}", std::strerror(errno)));
  if (!S_ISDIR(about.st_mode)) return cannot(path, "is no folder");
  if (!ours(about))
    return cannot(path,
                  "is not yours alone to write, and what is in there would be run; name another folder");
  std::vector<u8> key = TRY(key_of(path));
  return std::shared_ptr<CodeDirectory>(
      new CodeDirectory(std::move(path), std::move(build), std::move(key), std::move(tell)));
}

std::string CodeDirectory::file_of(const std::string& name) const {
  return fmt::format("{}/{}-{}{}", path_, name, build_, kSuffix);
}

std::vector<u8> CodeDirectory::mark(const std::string& name, std::span<const u8> bytes) const {
  const std::string head = fmt::format("{}\n{}\n", name, build_);
  return code_mark(key_, {reinterpret_cast<const u8*>(head.data()), head.size()}, bytes);
}

std::optional<jit::StoredCode> CodeDirectory::load(const std::string& name) {
  const std::string path = file_of(name);
  const HostFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) {
    if (errno != ENOENT) tell_(fmt::format("code '{}' is not used: {}.", path, std::strerror(errno)));
    return std::nullopt;
  }
  struct stat about {};
  if (fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode) || !ours(about)) {
    tell_(fmt::format("code '{}' is not used: others may have written it.", path));
    return std::nullopt;
  }
  const auto bytes = static_cast<u64>(about.st_size);
  void* const mapped = bytes <= kMarkBytes || bytes > kMostBytes
                           ? MAP_FAILED
                           : mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.get(), 0);
  if (mapped == MAP_FAILED) {
    tell_(fmt::format("code '{}' is not used: it is damaged.", path));
    return std::nullopt;
  }
  // Files here are replaced, never changed: what was looked at stays.
  const std::shared_ptr<const void> owner(mapped, [bytes](void* at) { munmap(at, bytes); });
  const std::span all(static_cast<const u8*>(mapped), bytes);
  const std::span content = all.subspan(kMarkBytes);
  if (!std::ranges::equal(mark(name, content), all.first(kMarkBytes))) {
    tell_(fmt::format("code '{}' is not used: it is damaged, or was not made with the key beside it.", path));
    return std::nullopt;
  }
  return jit::StoredCode{owner, content};
}

void CodeDirectory::save(const std::string& name, std::span<const u8> bytes) {
  const std::string path = file_of(name);
  const auto failed = [&](const std::string& why) { tell_(fmt::format("code is not kept: {}", why)); };
  Result<machine::NewFile> file = machine::NewFile::create("code", path);
  if (!file.ok()) return failed(file.error().message);
  const std::vector<u8> head = mark(name, bytes);
  const int fd = file.value().fd();
  if (fchmod(fd, 0600) != 0 || machine::host_write(fd, 0, head) != devices::BlockStatus::Ok ||
      machine::host_write(fd, head.size(), bytes) != devices::BlockStatus::Ok)
    return failed(fmt::format("'{}' cannot be written: {}.", path, std::strerror(errno)));
  if (const Result<Done> done = file.value().commit(); !done.ok()) return failed(done.error().message);
  remove_old();
}

void CodeDirectory::remove_old() const {
  struct Found {
    timespec changed;
    std::string path;
  };
  std::vector<Found> files;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path_.c_str()), closedir);
  while (const dirent* const entry = folder == nullptr ? nullptr : readdir(folder.get())) {
    const std::string path = fmt::format("{}/{}", path_, entry->d_name);
    struct stat about {};
    if (path.ends_with(kSuffix) && lstat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode))
      files.push_back({about.st_mtim, path});
  }
  if (files.size() <= kMostFiles) return;
  const auto older = [](const Found& a, const Found& b) {
    return a.changed.tv_sec != b.changed.tv_sec ? a.changed.tv_sec < b.changed.tv_sec
                                                : a.changed.tv_nsec < b.changed.tv_nsec;
  };
  std::ranges::sort(files, older);
  for (std::size_t i = 0; i + kMostFiles < files.size(); ++i) unlink(files[i].path.c_str());
}

}  // namespace reprise::frontend
