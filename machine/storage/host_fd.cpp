#include "machine/storage/host_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace reprise::machine {

using devices::BlockStatus;

HostFd::~HostFd() { close(); }

int HostFd::close() {
  const int fd = std::exchange(fd_, -1);
  return fd >= 0 && ::close(fd) != 0 ? errno : 0;
}

HostRead host_read(int fd, u64 offset, std::span<u8> into) {
  HostRead done;
  while (done.bytes < into.size()) {
    const ssize_t got = pread(fd, into.data() + done.bytes, into.size() - done.bytes,
                              static_cast<off_t>(offset + done.bytes));
    if (got == 0) break;
    if (got < 0) {
      if (errno == EINTR) continue;
      done.status = BlockStatus::ReadError;
      break;
    }
    done.bytes += static_cast<u64>(got);
  }
  return done;
}

BlockStatus write_status_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return BlockStatus::NoSpace;
    case EFBIG: return BlockStatus::TooLarge;
    case EROFS:
    case EPERM: return BlockStatus::ReadOnly;
    default: return BlockStatus::WriteError;
  }
}

std::string why_not_written(int error) {
  return error == EFBIG ? "a limit on the size of files was reached (ulimit -f)" : std::strerror(error);
}

BlockStatus host_write(int fd, u64 offset, std::span<const u8> from) {
  while (!from.empty()) {
    const ssize_t put = pwrite(fd, from.data(), from.size(), static_cast<off_t>(offset));
    if (put < 0) {
      if (errno == EINTR) continue;
      return write_status_of(errno);
    }
    if (put == 0) return BlockStatus::WriteError;
    from = from.subspan(static_cast<std::size_t>(put));
    offset += static_cast<u64>(put);
  }
  return BlockStatus::Ok;
}

BlockStatus host_zero(int fd, u64 offset, u64 bytes) {
#ifdef FALLOC_FL_PUNCH_HOLE
  if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                static_cast<off_t>(bytes)) == 0)
    return BlockStatus::Ok;
#endif
  // The file system has no holes.
  static constexpr std::array<u8, 65536> kZeros{};
  while (bytes != 0) {
    const u64 step = std::min<u64>(bytes, kZeros.size());
    const BlockStatus status = host_write(fd, offset, std::span(kZeros).first(step));
    if (status != BlockStatus::Ok) return status;
    offset += step;
    bytes -= step;
  }
  return BlockStatus::Ok;
}

const char* temporary_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder == nullptr || *folder == '\0' ? "/tmp" : folder;
}

Error temporary_file_error(std::string_view what) {
  const char* const why = std::strerror(errno);
  return Error{fmt::format(
      "{} needs a file for the run, which cannot be made in '{}' ({}): set TMPDIR to a folder that "
      "can be written.",
      what, temporary_folder(), why)};
}

HostFd open_unnamed_file() {
  const char* const folder = temporary_folder();
#ifdef O_TMPFILE
  if (const int fd = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600); fd >= 0) return HostFd(fd);
#endif
  // Not every file system can: give it a name for a moment.
  std::string path = std::string(folder) + "/reprise-XXXXXX";
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd >= 0) unlink(path.c_str());
  return HostFd(fd);
}

}  // namespace reprise::machine
