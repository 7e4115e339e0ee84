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

#include "common/bits.h"
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

/// The user named what cannot be used.
Error refused(const std::string& path, std::string_view why) {
  return wrong_usage(fmt::format("--code-cache-dir: '{}' {}.", path, why));
}
/// The host did not do what was asked of it.
Error failed(const std::string& path, std::string_view what, int number) {
  return Error{fmt::format("--code-cache-dir: '{}' {}: {}.", path, what, std::strerror(number))};
}

/// Nobody is waited for: what is no file may block who opens it.
HostFd open_to_read(const std::string& path) {
  return HostFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

/// A key for the folder, under another name until it is whole; of several at a time one stays.
Result<Done> make_key(const std::string& path) {
  u8 bytes[kKeyBytes + sizeof(u64)];
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return failed(path, "cannot be made", errno);
  const std::string made = fmt::format("{}.{:016x}", path, read_unaligned<u64>(bytes + kKeyBytes));
  const HostFd file(::open(made.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return failed(path, "cannot be made", errno);
  const bool written = ::write(file.get(), bytes, kKeyBytes) == static_cast<ssize_t>(kKeyBytes);
  const int number = errno;
  if (written) (void)link(made.c_str(), path.c_str());
  unlink(made.c_str());
  if (!written) return failed(path, "cannot be written", number);
  return Done{};
}

/// The folder's key: made by whoever comes first.
Result<std::vector<u8>> key_of(const std::string& folder) {
  const std::string path = folder + "/key";
  HostFd file = open_to_read(path);
  if (!file && errno == ENOENT) {
    TRY(make_key(path));
    file = open_to_read(path);
  }
  if (!file && errno == ELOOP) return refused(path, "is a symbolic link; remove it, and all code beside it");
  if (!file) return failed(path, "cannot be opened", errno);
  struct stat about {};
  if (fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode) || about.st_size != kKeyBytes)
    return refused(path, "is no key; remove it, and all code beside it");
  if (!ours(about) || (about.st_mode & (S_IRGRP | S_IROTH)) != 0)
    return refused(path, "can be read or written by others; remove it, and all code beside it");
  std::vector<u8> key(kKeyBytes);
  const machine::HostRead read = machine::host_read(file.get(), 0, key);
  if (read.status != devices::BlockStatus::Ok || read.bytes != kKeyBytes)
    return failed(path, "cannot be read", errno);
  return key;
}

}  // namespace

Result<std::shared_ptr<CodeDirectory>> CodeDirectory::open(std::string path, std::string build,
                                                           std::function<void(std::string)> tell) {
  if (code_mark(std::vector<u8>(kKeyBytes), {}, {}).empty())
    return wrong_usage("--code-cache-dir: this build has no libcrypto (Debian: libssl-dev), which it needs.");
  if (build.empty())
    return wrong_usage(
        "--code-cache-dir: this program does not know which build it is: link it with --build-id.");
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed(path, "cannot be made", errno);
  struct stat about {};
  if (stat(path.c_str(), &about) != 0) return failed(path, "cannot be used", errno);
  if (!S_ISDIR(about.st_mode)) return refused(path, "is no folder");
  if (!ours(about))
    return refused(
        path,
        "is not yours alone to write, and what is in there would be run; name another folder (mode 700)");
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
  const auto not_used = [&](std::string_view why) {
    tell_(fmt::format("code '{}' is not used: {}.", path, why));
    return std::nullopt;
  };
  const HostFd file = open_to_read(path);
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return not_used(errno == ELOOP ? "it is a symbolic link" : std::strerror(errno));
  struct stat about {};
  if (fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) return not_used("it is no file");
  if (!ours(about)) return not_used("others may have written it");
  const auto bytes = static_cast<u64>(about.st_size);
  if (bytes <= kMarkBytes || bytes > kMostBytes) return not_used("it is damaged");
  void* const mapped = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.get(), 0);
  if (mapped == MAP_FAILED) return not_used(std::strerror(errno));
  // Files here are replaced, never changed: what was looked at stays.
  const std::shared_ptr<const void> owner(mapped, [bytes](void* at) { munmap(at, bytes); });
  const std::span all(static_cast<const u8*>(mapped), bytes);
  const std::span content = all.subspan(kMarkBytes);
  if (!std::ranges::equal(mark(name, content), all.first(kMarkBytes)))
    return not_used("it is damaged, or was not made with the key beside it");
  return jit::StoredCode{owner, content};
}

void CodeDirectory::save(const std::string& name, std::span<const u8> bytes) {
  const std::string path = file_of(name);
  const auto not_kept = [&](const std::string& why) { tell_(fmt::format("code is not kept: {}", why)); };
  Result<machine::NewFile> file = machine::NewFile::create("code", path);
  if (!file.ok()) return not_kept(file.error().message);
  const std::vector<u8> head = mark(name, bytes);
  const int fd = file.value().fd();
  if (fchmod(fd, 0600) != 0 || machine::host_write(fd, 0, head) != devices::BlockStatus::Ok ||
      machine::host_write(fd, head.size(), bytes) != devices::BlockStatus::Ok)
    return not_kept(fmt::format("'{}' cannot be written: {}.", path, std::strerror(errno)));
  if (const Result<Done> done = file.value().commit(); !done.ok()) return not_kept(done.error().message);
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
