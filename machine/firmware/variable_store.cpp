#include "machine/firmware/variable_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace reprise::machine {
namespace {

class StoreFile {
 public:
  explicit StoreFile(int fd) : fd_(fd) {}
  ~StoreFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  StoreFile(const StoreFile&) = delete;
  StoreFile& operator=(const StoreFile&) = delete;
  int fd() const { return fd_; }

  bool write(u64 offset, std::span<const u8> bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      offset += static_cast<u64>(count);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }
  bool read(std::span<u8> into) const {
    u64 offset = 0;
    while (!into.empty()) {
      const ssize_t count = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      offset += static_cast<u64>(count);
      into = into.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }

 private:
  int fd_;
};

}  // namespace

Result<VariableStore> open_variable_store(const std::string& path, const std::vector<u8>& initial) {
  const auto problem = [&](std::string_view what) {
    return Error{fmt::format("variable store '{}' {}.", path, what)};
  };
  const auto file = std::make_shared<StoreFile>(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666));
  if (file->fd() < 0) return problem(fmt::format("cannot be opened for writing: {}", std::strerror(errno)));
  struct stat info {};
  if (::fstat(file->fd(), &info) != 0 || !S_ISREG(info.st_mode)) return problem("is not a regular file");
  if (::flock(file->fd(), LOCK_EX | LOCK_NB) != 0) return problem("is in use by another run");
  // Whoever had it until now may have made its content.
  if (::fstat(file->fd(), &info) != 0) return problem("cannot be read");
  VariableStore store;
  if (info.st_size == 0) {
    if (!file->write(0, initial)) {
      const int error = errno;
      // A piece of a store would be refused the next time.
      [[maybe_unused]] const int emptied = ::ftruncate(file->fd(), 0);
      return problem(fmt::format("cannot be written: {}", std::strerror(error)));
    }
    store.bytes = initial;
  } else if (static_cast<u64>(info.st_size) != initial.size()) {
    return problem(
        fmt::format("has {} bytes where the firmware needs {}: give a store that OVMF made, or a new name",
                    info.st_size, initial.size()));
  } else {
    store.bytes.resize(initial.size());
    if (!file->read(store.bytes)) return problem("cannot be read to its end");
  }
  store.save = [file](u64 offset, std::span<const u8> bytes) { return file->write(offset, bytes); };
  return store;
}

}  // namespace reprise::machine
