#include "machine/net/tftp_requests.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "devices/net/tcp_frame.h"

namespace reprise::machine {
namespace {

namespace fs = std::filesystem;

constexpr u16 kIpv4 = 0x0800, kIpv6 = 0x86dd;
constexpr std::size_t kEthernetBytes = 14, kIpv4Bytes = 20, kIpv6Bytes = 40, kUdpBytes = 8;
constexpr u8 kUdp = 17;
constexpr u16 kTftpPort = 69, kReadRequest = 1;
constexpr u16 kMoreFragments = 0x2000, kFragmentOffset = 0x1fff;

u16 be16(std::span<const u8> bytes, std::size_t at) {
  return static_cast<u16>(bytes[at] << 8 | bytes[at + 1]);
}

/// A UDP datagram for a TFTP server; nothing: it is none. Empty: the first piece of one that was cut up.
std::optional<std::span<const u8>> datagram_for_server(std::span<const u8> frame, const Ipv4Address& server) {
  if (frame.size() < kEthernetBytes) return std::nullopt;
  const u16 kind = be16(frame, 12);
  std::span<const u8> packet = frame.subspan(kEthernetBytes);
  bool cut_up = false;
  if (kind == kIpv4) {
    if (packet.size() < kIpv4Bytes || packet[9] != kUdp) return std::nullopt;
    if (!std::ranges::equal(packet.subspan(16, server.size()), server)) return std::nullopt;
    const std::size_t header_bytes = std::size_t{packet[0] & 0xfu} * 4;
    const u16 fragment = be16(packet, 6);
    if ((fragment & kFragmentOffset) != 0 || header_bytes < kIpv4Bytes || header_bytes > packet.size())
      return std::nullopt;
    cut_up = (fragment & kMoreFragments) != 0;
    packet = packet.subspan(header_bytes);
  } else if (kind == kIpv6) {
    if (packet.size() < kIpv6Bytes || packet[6] != kUdp) return std::nullopt;
    packet = packet.subspan(kIpv6Bytes);
  } else {
    return std::nullopt;
  }
  if (packet.size() < kUdpBytes || be16(packet, 2) != kTftpPort) return std::nullopt;
  return cut_up ? std::span<const u8>() : packet;
}

}  // namespace

std::optional<std::string> tftp_request(std::span<const u8> frame, const Ipv4Address& server) {
  const auto datagram = datagram_for_server(frame, server);
  if (!datagram) return std::nullopt;
  if (datagram->empty()) return std::string();
  const std::span<const u8> request = datagram->subspan(kUdpBytes);
  if (request.size() < 2 || be16(request, 0) != kReadRequest) return std::nullopt;
  const std::span<const u8> name = request.subspan(2);
  return std::string(name.begin(), std::ranges::find(name, 0));
}

std::vector<u8> request_to_refuse(std::span<const u8> frame, const Ipv4Address& server) {
  constexpr std::size_t kChecksumAt = 6;
  const auto name = tftp_request(frame, server);
  if (!name || name->size() < 2) return {};
  const std::span<const u8> datagram = *datagram_for_server(frame, server);
  std::vector<u8> out(frame.begin(), frame.end());
  const std::span<u8> copy =
      std::span(out).subspan(static_cast<std::size_t>(datagram.data() - frame.data()), datagram.size());
  const std::span<u8> new_name = copy.subspan(kUdpBytes + 2, name->size());
  std::ranges::fill(new_name, u8{'/'});
  std::ranges::fill(new_name.last(2), u8{'.'});
  // RFC 1624; 0: there is none.
  if (const u16 checksum = be16(datagram, kChecksumAt); checksum != 0) {
    const auto without_old = static_cast<u16>(~devices::ones_sum(datagram.subspan(kUdpBytes)));
    const u16 sum =
        devices::ones_sum(copy.subspan(kUdpBytes), u32{static_cast<u16>(~checksum)} + without_old);
    const u16 changed = sum == 0xffff ? 0xffff : static_cast<u16>(~sum);
    copy[kChecksumAt] = static_cast<u8>(changed >> 8);
    copy[kChecksumAt + 1] = static_cast<u8>(changed);
  }
  return out;
}

bool is_file_within(const std::string& folder, const std::string& name) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return true;
  const fs::path file = fs::canonical(folder + '/' + name, error);
  if (error) return true;  // nobody can open it
  const auto left = std::ranges::mismatch(root, file).in1;
  return left == root.end() && fs::is_regular_file(file, error);
}

}  // namespace reprise::machine
