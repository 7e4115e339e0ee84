#include "machine/net/router_advertisement.h"

#include "devices/net/tcp_frame.h"

namespace reprise::machine {
namespace {

constexpr std::size_t kIpv6 = 14;
constexpr std::size_t kIcmp = kIpv6 + 40;
constexpr std::size_t kOptions = kIcmp + 16;
constexpr u8 kProtocolIcmpv6 = 58;
constexpr u8 kRouterAdvertisement = 134;
constexpr u8 kOptionNameServers = 25;

u16 icmp_checksum(std::span<const u8> frame) {
  const auto bytes = static_cast<u32>(frame.size() - kIcmp);
  return static_cast<u16>(~devices::ones_sum(frame.subspan(kIpv6 + 8), bytes + kProtocolIcmpv6));
}

}  // namespace

std::span<const u8> without_name_servers(std::span<const u8> frame, std::vector<u8>& changed) {
  if (frame.size() < kOptions || frame[12] != 0x86 || frame[13] != 0xdd ||
      frame[kIpv6 + 6] != kProtocolIcmpv6 || frame[kIcmp] != kRouterAdvertisement)
    return frame;
  for (std::size_t at = kOptions; at + 8 <= frame.size() && frame[at + 1] != 0; at += 8u * frame[at + 1]) {
    if (frame[at] != kOptionNameServers) continue;
    changed.assign(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(at));
    const std::size_t payload_bytes = at - kIcmp;
    changed[kIpv6 + 4] = static_cast<u8>(payload_bytes >> 8);
    changed[kIpv6 + 5] = static_cast<u8>(payload_bytes);
    changed[kIcmp + 2] = changed[kIcmp + 3] = 0;
    const u16 sum = icmp_checksum(changed);
    changed[kIcmp + 2] = static_cast<u8>(sum >> 8);
    changed[kIcmp + 3] = static_cast<u8>(sum);
    return changed;
  }
  return frame;
}

}  // namespace reprise::machine
