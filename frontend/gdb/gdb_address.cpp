#include "frontend/gdb/gdb_address.h"

#include "common/numbers.h"

namespace reprise::frontend {

Result<GdbAddress> parse_gdb_address(std::string_view text) {
  GdbAddress address;
  if (text == "-") {
    address.kind = GdbAddress::Kind::Stdio;
    return address;
  }
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) {
    address.kind = GdbAddress::Kind::Unix;
    address.unix_path = text.substr(kUnix.size());
    if (address.unix_path.empty()) return Error{"has no path: give unix:PATH"};
    return address;
  }
  constexpr std::string_view kTcp = "tcp:";
  if (!text.starts_with(kTcp)) return Error{"is none of tcp:[HOST:]PORT, unix:PATH, -"};
  text.remove_prefix(kTcp.size());
  const std::size_t colon = text.rfind(':');
  std::string_view host = colon == text.npos ? std::string_view() : text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::optional<u64> port = parse_number(colon == text.npos ? text : text.substr(colon + 1));
  if (!port || *port > 0xffff) return Error{"has no port: give tcp:[HOST:]PORT, with 0 for a free one"};
  address.host = host;
  address.port = static_cast<u16>(*port);
  return address;
}

}  // namespace reprise::frontend
