// Listener: the socket at which viewers of a VNC display arrive.
#pragma once

#include <memory>
#include <string>

#include "frontend/display/display_choice.h"
#include "frontend/unix_listener.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

class Listener {
 public:
  /// Error: it cannot be listened there, or the network could come in without a password.
  static Result<Listener> open(const VncChoice& choice);

  int descriptor() const { return unix_ ? unix_->descriptor() : tcp_.get(); }
  /// With the port that was found: "unix:PATH", "127.0.0.1:5901", "[::1]:5901".
  const std::string& address() const { return address_; }

 private:
  Listener() = default;

  std::unique_ptr<UnixListener> unix_;
  machine::HostFd tcp_;
  std::string address_;
};

}  // namespace reprise::frontend
