// UnixListener: a unix socket that this process listens at, for this user alone.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/types.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

class UnixListener {
 public:
  /// Binds and listens; accept() does not block. A socket file that no process listens on any more is replaced. `what`
  /// is for people: "monitor socket".
  static Result<std::unique_ptr<UnixListener>> open(std::string_view what, const std::string& path);
  /// Removes the socket file, if it is still this one's.
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  int descriptor() const { return socket_.get(); }

 private:
  UnixListener(std::string path, machine::HostFd socket);

  const std::string path_;
  const machine::HostFd socket_;
  u64 inode_ = 0;
};

}  // namespace reprise::frontend
