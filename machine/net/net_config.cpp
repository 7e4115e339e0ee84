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
constexpr Ipv6Address kIpv6Loopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
/// fec0::/64, in which the guest's IPv6 addresses are.
constexpr Ipv6Address kIpv6Network = {0xfe, 0xc0};
constexpr std::size_t kIpv6NetworkBytes = 8;

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

/// One end of a forward.
struct ForwardEnd {
  std::optional<IpAddress> address;
  u16 port = 0;
};

/// "[ADDR]:PORT", where ADDR may be missing, and an IPv6 address stands in brackets. An error without words: it is nothing of that form.
Result<ForwardEnd> parse_end(std::string_view text, u64 least_port) {
  const bool bracketed = text.starts_with('[');
  const std::size_t found = text.find(bracketed ? "]:" : ":");
  if (found == text.npos) return Error{""};
  const std::size_t colon = found + (bracketed ? 1 : 0);
  const auto port = parse_port(std::string(text.substr(colon + 1)), least_port);
  if (text.substr(colon + 1).find(':') != text.npos) return Error{"an IPv6 address stands in brackets"};
  if (!port) return Error{fmt::format("'{}' is no port", text.substr(colon + 1))};
  ForwardEnd end = {.address = {}, .port = *port};
  const std::string words(bracketed ? text.substr(1, colon - 2) : text.substr(0, colon));
  if (words.empty() && !bracketed) return end;
  if (bracketed) {
    Ipv6Address address;
    if (inet_pton(AF_INET6, words.c_str(), address.data()) != 1)
      return Error{fmt::format("'{}' is not an IPv6 address", words)};
    end.address = address;
  } else {
    const auto address = parse_address(words);
    if (!address) return Error{fmt::format("'{}' is not an IPv4 address", words)};
    end.address = *address;
  }
  return end;
}

/// "tcp:REST" or "udp:REST", or ":REST", which is TCP; leaves REST.
std::optional<bool> take_protocol(std::string_view& text) {
  const std::string_view protocol = text.substr(0, std::min(text.find(':'), text.size()));
  if (protocol.size() == text.size() || (protocol != "tcp" && protocol != "udp" && !protocol.empty()))
    return std::nullopt;
  text.remove_prefix(protocol.size() + 1);
  return protocol == "udp";
}

/// In brackets where it is IPv6, as it is written in a forward.
std::string in_brackets(const IpAddress& address) {
  const bool v6 = std::holds_alternative<Ipv6Address>(address);
  return v6 ? fmt::format("[{}]", address_text(address)) : address_text(address);
}

bool is_unset(const IpAddress& address) {
  return std::visit([](const auto& bytes) { return std::ranges::count(bytes, 0) == std::ssize(bytes); },
                    address);
}

/// Of a network that is not known yet.
Result<NetForward> parse_ends(std::string_view text) {
  const Error wrong{
      fmt::format("hostfwd={} is not of the form tcp:[ADDR]:PORT-[ADDR]:PORT or udp:..., as tcp::2222-:22 or "
                  "tcp:[::1]:2222-[fec0::15]:22",
                  text)};
  std::string_view rest = text;
  const std::optional<bool> udp = take_protocol(rest);
  const std::size_t dash = rest.find('-');
  if (!udp || dash == rest.npos) return wrong;
  const auto refused = [&](const Error& why) {
    return why.message.empty() ? wrong : Error{fmt::format("hostfwd={}: {}", text, why.message)};
  };
  const auto host = parse_end(rest.substr(0, dash), 0);
  if (!host) return refused(host.error());
  const auto guest = parse_end(rest.substr(dash + 1), 1);
  if (!guest) return refused(guest.error());
  NetForward forward = {.udp = *udp, .host_port = host.value().port, .guest_port = guest.value().port};
  if (guest.value().address) forward.guest = *guest.value().address;
  const bool guest_is_v6 = std::holds_alternative<Ipv6Address>(forward.guest);
  if (host.value().address)
    forward.host = *host.value().address;
  else if (guest_is_v6)
    forward.host = kIpv6Loopback;
  if (std::holds_alternative<Ipv6Address>(forward.host) == guest_is_v6) return forward;
  if (!guest.value().address)
    return Error{
        fmt::format("hostfwd={}: nobody tells the guest's IPv6 address: name it, as in [fec0::15]:{}", text,
                    forward.guest_port)};
  return Error{fmt::format(
      "hostfwd={}: libslirp connects IPv4 with IPv4 and IPv6 with IPv6: give two of one kind", text)};
}

u32 number_of(const Ipv4Address& address) {
  u32 number = 0;
  for (const u8 byte : address) number = number << 8 | byte;
  return number;
}

Result<Done> check_guest(const Ipv6Address& guest) {
  const bool inside = std::equal(guest.begin(), guest.begin() + kIpv6NetworkBytes, kIpv6Network.begin());
  if (!inside)
    return Error{fmt::format("hostfwd: {} is not in the guest's network, fec0::/64: give an address of that",
                             address_text(guest))};
  Ipv6Address station = kIpv6Network;
  for (const u32 number : {0u, kHostNumber, kNameServerNumber}) {
    station.back() = static_cast<u8>(number);
    if (guest == station)
      return Error{fmt::format("hostfwd: {} is no address that a guest could have: give another",
                               address_text(guest))};
  }
  return Done{};
}

Result<Done> check_guest(const Ipv4Address& address, const NetConfig& config) {
  const u32 of_hosts = ~u32{0} >> config.prefix_bits;
  const std::string network = fmt::format("{}/{}", address_text(config.network), config.prefix_bits);
  const u32 guest = number_of(address);
  const u32 host = guest & of_hosts;
  if ((guest & ~of_hosts) != number_of(config.network))
    return Error{
        fmt::format("hostfwd: {} is not in the guest's network, {}: give an address of that, or leave it out",
                    address_text(address), network)};
  if (host == 0 || host == of_hosts || host == kHostNumber || host == kNameServerNumber)
    return Error{
        fmt::format("hostfwd: {} is no address that a guest in {} could have: give another, or leave it out",
                    address_text(address), network)};
  return Done{};
}

Result<Done> check_forward(const NetForward& forward, const NetConfig& config) {
  if (const auto* const address = std::get_if<Ipv6Address>(&forward.guest)) return check_guest(*address);
  if (is_unset(forward.guest)) return Done{};
  return check_guest(std::get<Ipv4Address>(forward.guest), config);
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
    config.forwards.push_back(TRY(parse_ends(value)));
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
    // The words come in any order, so the network is known now.
    for (const NetForward& forward : config.forwards) TRY(check_forward(forward, config));
  } else {
    return Error{fmt::format("'{}' is none of user, hub:PATH, none", words[0])};
  }
  return config;
}

Result<NetForward> parse_forward(std::string_view text, const NetConfig& config) {
  const NetForward forward = TRY(parse_ends(text));
  TRY(check_forward(forward, config));
  return forward;
}

Result<NetForward> parse_forwarded(std::string_view text) {
  std::string_view rest = text;
  const std::optional<bool> udp = take_protocol(rest);
  const auto end = parse_end(rest, 1);
  if (!udp || !end) return Error{fmt::format("'{}' is not of the form tcp:[ADDR]:PORT or udp:...", text)};
  NetForward forward = {.udp = *udp, .host_port = end.value().port};
  if (end.value().address) forward.host = *end.value().address;
  return forward;
}

std::string address_text(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const bool v6 = std::holds_alternative<Ipv6Address>(address);
  std::visit([&](const auto& bytes) { inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text); },
             address);
  return text;
}

std::string end_text(const IpAddress& address, u16 port) {
  return fmt::format("{}:{}", in_brackets(address), port);
}

std::string forward_text(const NetForward& forward) {
  return fmt::format("{} {} goes to the guest's {}", forward.udp ? "udp" : "tcp",
                     end_text(forward.host, forward.host_port), end_text(forward.guest, forward.guest_port));
}

std::string net_text(const NetConfig& config) {
  if (config.kind == NetConfig::Kind::None) return "none";
  if (config.kind == NetConfig::Kind::Hub) return fmt::format("hub:{}", config.hub_path);
  std::string text = "user";
  if (config.restricted) text += ",restrict=yes";
  if (const NetConfig usual; config.network != usual.network || config.prefix_bits != usual.prefix_bits)
    text += fmt::format(",net={}/{}", address_text(config.network), config.prefix_bits);
  for (const NetForward& forward : config.forwards)
    text += fmt::format(",hostfwd={}:{}-{}:{}", forward.udp ? "udp" : "tcp",
                        end_text(forward.host, forward.host_port),
                        is_unset(forward.guest) ? "" : in_brackets(forward.guest), forward.guest_port);
  if (!config.tftp_folder.empty()) text += fmt::format(",tftp={}", config.tftp_folder);
  if (!config.boot_file.empty()) text += fmt::format(",bootfile={}", config.boot_file);
  return text;
}

}  // namespace reprise::machine
