// Owner of a file descriptor, and reads and writes at offsets that finish what they began.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "common/result.h"
#include "common/types.h"
#include "devices/backend.h"

namespace reprise::machine {

class HostFd {
 public:
  HostFd() = default;
  explicit HostFd(int fd) : fd_(fd) {}
  HostFd(HostFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  HostFd& operator=(HostFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~HostFd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// 0, or what the host said (an errno).
  int close();

 private:
  int fd_ = -1;
};

/// Bytes read: fewer than asked for only at the end of the file. On an error `status` says so.
struct HostRead {
  u64 bytes = 0;
  devices::BlockStatus status = devices::BlockStatus::Ok;
};
HostRead host_read(int fd, u64 offset, std::span<u8> into);
devices::BlockStatus host_write(int fd, u64 offset, std::span<const u8> from);
/// Makes the range read as zeros and frees its space where the file system can. The file keeps its size.
devices::BlockStatus host_zero(int fd, u64 offset, u64 bytes);
/// What `error` (an errno of a write) means to a guest.
devices::BlockStatus write_status_of(int error);

/// The same, for people.
std::string why_not_written(int error);

/// TMPDIR, or /tmp.
const char* temporary_folder();
/// "WHAT needs a file for the run, ...": why errno says there can be none.
Error temporary_file_error(std::string_view what);

/// A file without a name in temporary_folder(), for reading and writing; it is gone when it is closed. Without
/// a descriptor and with errno set when that is not possible.
HostFd open_unnamed_file();

}  // namespace reprise::machine
