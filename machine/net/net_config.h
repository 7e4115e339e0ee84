// What network the cards are on: what --net says.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine {

using Ipv4Address = std::array<u8, 4>;
using Ipv6Address = std::array<u8, 16>;
using IpAddress = std::variant<Ipv4Address, Ipv6Address>;

inline constexpr Ipv4Address kIpv4Loopback = {127, 0, 0, 1};

/// Connections to a port of the host that go to one of the guest's. Both addresses are of one kind.
struct NetForward {
  bool udp = false;
  IpAddress host = kIpv4Loopback;
  u16 host_port = 0;                // 0: one that is free
  IpAddress guest = Ipv4Address{};  // 0.0.0.0: the first address that DHCP gives
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

/// "tcp:[ADDR]:PORT-[ADDR]:PORT", the value of hostfwd=, for a guest in the network of `config`. Errors are sentences without a full
/// stop.
Result<NetForward> parse_forward(std::string_view text, const NetConfig& config);
/// "tcp:[ADDR]:PORT": where one comes from.
Result<NetForward> parse_forwarded(std::string_view text);

/// This build has libslirp.
bool user_network_offered();

/// "10.0.2.15", "fec0::15".
std::string address_text(const IpAddress& address);
/// "10.0.2.15:22", "[fec0::15]:22".
std::string end_text(const IpAddress& address, u16 port);
/// "tcp 127.0.0.1:2222 goes to the guest's 10.0.2.15:22".
std::string forward_text(const NetForward& forward);

}  // namespace reprise::machine
