// Where pings may be sent by raw sockets only (of root, outside of net.ipv4.ping_group_range), libslirp does so, and takes whatever
// ICMP the host gets next for the answer: an error, or what somebody else was sent. The kernel gives such a socket less.
#pragma once

#include <optional>
#include <span>

#include "common/types.h"

namespace reprise::machine {

/// What an answer to a ping repeats.
struct EchoRequest {
  bool v6 = false;
  u16 id = 0;
  u16 sequence = 0;
};

/// `frame` is one; nullopt: something else.
std::optional<EchoRequest> echo_request(std::span<const u8> frame);

/// If `descriptor` is a raw socket, it gets nothing from now on but the answer to `request`.
void hear_only_answer(int descriptor, const EchoRequest& request);

}  // namespace reprise::machine
