// Where a stream of characters goes: a socket of this host's, or of another one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/types.h"

namespace reprise::frontend {

struct SocketAddress {
  std::string unix_path = {};  // empty: TCP
  std::string host = {};       // a name or an address; empty: the loopback
  u16 port = 0;                // listening, 0: a free one
  int descriptor = -1;         // that this process was started with, in place of these; negative: none
  bool connects = false;       // else it listens, for one client at a time
  bool waits = false;          // the run begins when the first client has come
};

/// "unix:PATH[,connect][,wait]", "tcp:[HOST:]PORT[,connect][,wait]", "fd:N[,connect][,wait]"; nullopt when malformed.
std::optional<SocketAddress> parse_socket_address(std::string_view text);
/// "unix:PATH", "tcp:HOST:PORT", "fd:N".
std::string socket_address_text(const SocketAddress& address);

}  // namespace reprise::frontend
