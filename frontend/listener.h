// Listener: a socket at which viewers and debuggers arrive, on TCP or of a unix path.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/types.h"
#include "frontend/unix_listener.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

/// Where to listen, and how to speak of it.
struct ListenWish {
  std::string_view what;       // "VNC socket"
  std::string_view option;     // what stands before HOST:PORT: "--display vnc:"
  std::string unix_path = {};  // empty: TCP
  std::string host = {};       // a name or an address; empty: the loopback
  u16 port = 0;                // 0: a free one
  int descriptor = -1;         // of a socket that listens already; negative: none
  bool open_to_all = false;    // others than this host may connect
  std::string instead = {};    // what to do where they would without: behind a colon
};

class Listener {
 public:
  /// Error: it cannot be listened there, or the network could come in and must not.
  static Result<Listener> open(const ListenWish& wish);

  int descriptor() const { return unix_ ? unix_->descriptor() : tcp_.get(); }
  /// With the port that was found: "unix:PATH", "127.0.0.1:5901", "[::1]:5901".
  const std::string& address() const { return address_; }
  /// One of those that this process was started with, which must be a socket that listens, or one that is connected. Error: it is none.
  static Result<machine::HostFd> inherited(std::string_view what, int descriptor, bool listens);

 private:
  Listener() = default;

  std::unique_ptr<UnixListener> unix_;
  machine::HostFd tcp_;  // or one that was there
  std::string address_;
};

}  // namespace reprise::frontend
