// What network the cards are on: what --net says.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine {

using Ipv4Address = std::array<u8, 4>;

/// Connections to a port of the host that go to one of the guest's.
struct NetForward {
  bool udp = false;
  Ipv4Address host = {127, 0, 0, 1};
  u16 host_port = 0;       // 0: one that is free
  Ipv4Address guest = {};  // 0.0.0.0: the first address that DHCP gives
  u16 guest_port = 0;
};

struct NetConfig {
  enum class Kind : u8 { None, User, Hub };
  Kind kind = Kind::None;
  // Of User:
  bool restricted = false;  // nothing of the guest's leaves; only forwards come in
  Ipv4Address network = {10, 0, 2, 0};
  unsigned prefix_bits = 24;
  std::vector<NetForward> forwards = {};
  std::string tftp_folder = {};  // empty: no TFTP
  std::string boot_file = {};    // that DHCP names; empty: none

  std::string hub_path = {};  // of Hub
};

/// "none", "user[,restrict=yes][,hostfwd=...]...", "hub:PATH": the value of --net. Errors are sentences without a full stop.
Result<NetConfig> parse_net(std::string_view text);
/// The same as words: what --net would have to be for `config`.
std::string net_text(const NetConfig& config);

/// This build has libslirp.
bool user_network_offered();

std::string address_text(const Ipv4Address& address);

}  // namespace reprise::machine
