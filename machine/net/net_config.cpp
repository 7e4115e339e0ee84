#include "machine/net/net_config.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/numbers.h"

namespace reprise::machine {
namespace {

/// The longest name that a DHCP answer holds.
constexpr std::size_t kMaxBootFileBytes = 127;
/// In a network, of which the first guest is 15.
constexpr u32 kHostNumber = 2;
constexpr u32 kNameServerNumber = 3;
constexpr unsigned kMaxPrefixBits = 27;
constexpr unsigned kMinPrefixBits = 8;

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == at)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

std::optional<Ipv4Address> parse_address(const std::string& text) {
  Ipv4Address address;
  if (inet_pton(AF_INET, text.c_str(), address.data()) != 1) return std::nullopt;
  return address;
}

std::optional<u16> parse_port(const std::string& text, u64 least) {
  const std::optional<u64> number = parse_number(text);
  if (!number || *number < least || *number > 65535) return std::nullopt;
  return static_cast<u16>(*number);
}

/// "tcp:[ADDR]:PORT-[ADDR]:PORT"
Result<NetForward> parse_forward(const std::string& text) {
  const Error wrong{
      fmt::format("hostfwd={} is not of the form tcp:[ADDR]:PORT-[ADDR]:PORT or udp:...", text)};
  const std::vector<std::string> sides = split(text, '-');
  if (sides.size() != 2) return wrong;
  const std::vector<std::string> host = split(sides[0], ':');
  const std::vector<std::string> guest = split(sides[1], ':');
  if (host.size() != 3 || guest.size() != 2 || (host[0] != "tcp" && host[0] != "udp" && !host[0].empty()))
    return wrong;
  NetForward forward;
  forward.udp = host[0] == "udp";
  const auto host_port = parse_port(host[2], 0);
  const auto guest_port = parse_port(guest[1], 1);
  if (!host_port || !guest_port) return wrong;
  forward.host_port = *host_port;
  forward.guest_port = *guest_port;
  for (const auto& [words, address] :
       {std::pair{host[1], &forward.host}, std::pair{guest[0], &forward.guest}}) {
    if (words.empty()) continue;
    const auto parsed = parse_address(words);
    if (!parsed) return Error{fmt::format("hostfwd={}: '{}' is not an IPv4 address", text, words)};
    *address = *parsed;
  }
  return forward;
}

u32 number_of(const Ipv4Address& address) {
  u32 number = 0;
  for (const u8 byte : address) number = number << 8 | byte;
  return number;
}

/// The words of --net come in any order, so this is known behind the last.
Result<Done> check_forwards(const NetConfig& config) {
  const u32 of_hosts = ~u32{0} >> config.prefix_bits;
  for (const NetForward& forward : config.forwards) {
    if (forward.guest == Ipv4Address{}) continue;
    const std::string network = fmt::format("{}/{}", address_text(config.network), config.prefix_bits);
    const u32 guest = number_of(forward.guest);
    const u32 host = guest & of_hosts;
    if ((guest & ~of_hosts) != number_of(config.network))
      return Error{fmt::format(
          "hostfwd: {} is not in the guest's network, {}: give an address of that, or leave it out",
          address_text(forward.guest), network)};
    if (host == 0 || host == of_hosts || host == kHostNumber || host == kNameServerNumber)
      return Error{fmt::format(
          "hostfwd: {} is no address that a guest in {} could have: give another, or leave it out",
          address_text(forward.guest), network)};
  }
  return Done{};
}

Result<Done> take_network(const std::string& value, NetConfig& config) {
  const Error wrong{fmt::format("net={} is not of the form ADDR/BITS, with {} to {} bits", value,
                                kMinPrefixBits, kMaxPrefixBits)};
  const std::vector<std::string> parts = split(value, '/');
  if (parts.size() > 2) return wrong;
  const auto address = parse_address(parts[0]);
  const auto bits = parts.size() == 2 ? parse_number(parts[1]) : std::optional<u64>(24);
  if (!address || !bits || *bits < kMinPrefixBits || *bits > kMaxPrefixBits) return wrong;
  constexpr u8 kLoopback = 127;
  constexpr u8 kFirstMulticast = 224;
  if (const u8 first = (*address)[0]; first == 0 || first == kLoopback || first >= kFirstMulticast)
    return Error{
        fmt::format("net={}: machines cannot have such addresses: give one such as 10.0.3.0/24", value)};
  config.network = *address;
  config.prefix_bits = static_cast<unsigned>(*bits);
  for (unsigned bit = config.prefix_bits; bit < 32; ++bit)
    config.network[bit / 8] &= static_cast<u8>(~(0x80u >> bit % 8));
  return Done{};
}

Result<Done> take_user_word(const std::string& word, NetConfig& config) {
  const std::string name = word.substr(0, word.find('='));
  const std::string value = name.size() == word.size() ? "" : word.substr(name.size() + 1);
  if (name == "restrict") {
    if (value != "yes" && value != "no" && value != "on" && value != "off")
      return Error{fmt::format("restrict={} is none of yes, no", value)};
    config.restricted = value == "yes" || value == "on";
  } else if (name == "hostfwd") {
    config.forwards.push_back(TRY(parse_forward(value)));
  } else if (name == "net") {
    return take_network(value, config);
  } else if (name == "tftp") {
    if (value.empty()) return Error{"tftp= names no folder"};
    config.tftp_folder = value;
  } else if (name == "bootfile") {
    if (value.empty() || value.size() > kMaxBootFileBytes)
      return Error{fmt::format("bootfile= takes a name of 1 to {} characters", kMaxBootFileBytes)};
    config.boot_file = value;
  } else {
    return Error{fmt::format("'{}' is none of restrict=, hostfwd=, net=, tftp=, bootfile=", word)};
  }
  return Done{};
}

}  // namespace

Result<NetConfig> parse_net(std::string_view text) {
  NetConfig config;
  if (constexpr std::string_view kHub = "hub:"; text.starts_with(kHub)) {
    config.kind = NetConfig::Kind::Hub;
    config.hub_path = text.substr(kHub.size());
    if (config.hub_path.empty()) return Error{"hub: names no path"};
    return config;
  }
  const std::vector<std::string> words = split(text, ',');
  if (words[0] == "none") {
    if (words.size() != 1) return Error{"none takes nothing behind it"};
  } else if (words[0] == "user") {
    config.kind = NetConfig::Kind::User;
    for (std::size_t i = 1; i < words.size(); ++i) TRY(take_user_word(words[i], config));
    TRY(check_forwards(config));
  } else {
    return Error{fmt::format("'{}' is none of user, hub:PATH, none", words[0])};
  }
  return config;
}

std::string address_text(const Ipv4Address& address) {
  return fmt::format("{}.{}.{}.{}", address[0], address[1], address[2], address[3]);
}

std::string net_text(const NetConfig& config) {
  if (config.kind == NetConfig::Kind::None) return "none";
  if (config.kind == NetConfig::Kind::Hub) return fmt::format("hub:{}", config.hub_path);
  std::string text = "user";
  if (config.restricted) text += ",restrict=yes";
  if (const NetConfig usual; config.network != usual.network || config.prefix_bits != usual.prefix_bits)
    text += fmt::format(",net={}/{}", address_text(config.network), config.prefix_bits);
  for (const NetForward& forward : config.forwards)
    text += fmt::format(",hostfwd={}:{}:{}-{}:{}", forward.udp ? "udp" : "tcp", address_text(forward.host),
                        forward.host_port, forward.guest == Ipv4Address{} ? "" : address_text(forward.guest),
                        forward.guest_port);
  if (!config.tftp_folder.empty()) text += fmt::format(",tftp={}", config.tftp_folder);
  if (!config.boot_file.empty()) text += fmt::format(",bootfile={}", config.boot_file);
  return text;
}

}  // namespace reprise::machine
