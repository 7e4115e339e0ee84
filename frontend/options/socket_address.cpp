#include "frontend/options/socket_address.h"

#include <fmt/format.h>

#include "common/numbers.h"

namespace reprise::frontend {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kTcp = "tcp:";
constexpr std::string_view kDescriptor = "fd:";

/// Whether `word` stood behind the last comma, from which it is taken away.
bool take_ending(std::string_view& text, std::string_view word) {
  if (!text.ends_with(word)) return false;
  text.remove_suffix(word.size());
  return true;
}

}  // namespace

std::optional<SocketAddress> parse_socket_address(std::string_view text) {
  SocketAddress address;
  for (bool more = true; more;) {
    more = false;
    if (take_ending(text, ",connect")) address.connects = more = true;
    if (take_ending(text, ",wait")) address.waits = more = true;
  }
  if (text.starts_with(kUnix)) {
    address.unix_path = text.substr(kUnix.size());
    return address.unix_path.empty() ? std::nullopt : std::optional(address);
  }
  if (text.starts_with(kDescriptor)) {
    // Not the standard ones.
    constexpr u64 kFirst = 3, kLast = 65535;
    const std::optional<u64> number = parse_number(text.substr(kDescriptor.size()));
    if (!number || *number < kFirst || *number > kLast) return std::nullopt;
    address.descriptor = static_cast<int>(*number);
    return address;
  }
  if (!text.starts_with(kTcp)) return std::nullopt;
  text.remove_prefix(kTcp.size());
  const std::size_t colon = text.rfind(':');
  std::string_view host = colon == text.npos ? std::string_view() : text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::optional<u64> port = parse_number(colon == text.npos ? text : text.substr(colon + 1));
  if (!port || *port > 0xffff || (address.connects && *port == 0)) return std::nullopt;
  address.host = host;
  address.port = static_cast<u16>(*port);
  return address;
}

std::string socket_address_text(const SocketAddress& address) {
  if (address.descriptor >= 0) return fmt::format("{}{}", kDescriptor, address.descriptor);
  if (!address.unix_path.empty()) return fmt::format("unix:{}", address.unix_path);
  const bool brackets = address.host.find(':') != std::string::npos;
  return fmt::format("tcp:{}{}{}:{}", brackets ? "[" : "", address.host.empty() ? "127.0.0.1" : address.host,
                     brackets ? "]" : "", address.port);
}

}  // namespace reprise::frontend
