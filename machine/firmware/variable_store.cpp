#include "machine/firmware/variable_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "common/bits.h"
#include "machine/storage/run_files.h"

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

/// The store as it was at the beginning of the run that is repeated. One that the run made, and that is gone, was `initial`.
Result<VariableStore> open_store_again(const std::string& path, const std::vector<u8>& initial,
                                       RunFiles& files) {
  VariableStore store;
  store.bytes = initial;
  const StoreFile file(::open(files.place_of(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.fd() >= 0 && !file.read(store.bytes))
    return Error{fmt::format("variable store '{}' cannot be read to its end.", path)};
  const std::shared_ptr<const FilePieces> pieces = files.earlier(files.whole_name(path));
  for (u64 at = 0; pieces != nullptr && at < store.bytes.size();) {
    bool known = false;
    const u64 count = pieces->run(at, store.bytes.size() - at, known);
    if (known && pieces->read(at, std::span(store.bytes).subspan(at, count)) != devices::BlockStatus::Ok)
      return Error{fmt::format("what the recording has of variable store '{}' cannot be read.", path)};
    at += count;
  }
  files.collect_file(path, store.bytes);
  return store;
}

}  // namespace

Result<VariableStore> open_variable_store(const std::string& path, const std::vector<u8>& initial,
                                          RunFiles& files) {
  if (files.repeated()) return open_store_again(path, initial, files);
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
  store.save = [file, before = store.bytes, writes = files.first_writes(), name = files.whole_name(path)](
                   u64 offset, std::span<const u8> bytes) {
    constexpr u64 kSectorBytes = devices::BlockBackend::kSectorBytes;
    const u64 first = align_down(offset, kSectorBytes), end = align_up(offset + bytes.size(), kSectorBytes);
    writes->before(name, first, end - first, [&](u64 at, std::span<u8> into) {
      std::copy_n(before.begin() + static_cast<std::ptrdiff_t>(at), into.size(), into.begin());
      return devices::BlockStatus::Ok;
    });
    return file->write(offset, bytes);
  };
  return store;
}

}  // namespace reprise::machine
