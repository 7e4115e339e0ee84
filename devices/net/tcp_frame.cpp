#include "devices/net/tcp_frame.h"

#include <algorithm>
#include <cstring>

#include "devices/net/net_card.h"

namespace reprise::devices {
namespace {

constexpr unsigned kIp = kEthernetHeaderBytes;
constexpr unsigned kIpv4Bytes = 20;
constexpr unsigned kIpv6Bytes = 40;
constexpr unsigned kTcpBytes = 20;
constexpr u8 kProtocolTcp = 6;
constexpr u16 kTypeIpv4 = 0x0800;
constexpr u16 kTypeIpv6 = 0x86dd;
constexpr u16 kFragment = 0x3fff;  // more fragments, offset

// Offsets in headers.
constexpr unsigned kIpv4Length = 2, kIpv4Id = 4, kIpv4Fragment = 6, kIpv4Protocol = 9, kIpv4Checksum = 10,
                   kIpv4Source = 12;
constexpr unsigned kIpv6Length = 4, kIpv6Next = 6, kIpv6Source = 8;
constexpr unsigned kTcpSequence = 4, kTcpAcknowledged = 8, kTcpOffset = 12, kTcpFlags = 13, kTcpChecksum = 16;

u16 word(std::span<const u8> bytes, std::size_t at) {
  return static_cast<u16>(bytes[at] << 8 | bytes[at + 1]);
}
u32 dword(std::span<const u8> bytes, std::size_t at) {
  return u32{word(bytes, at)} << 16 | word(bytes, at + 2);
}
void put_word(std::span<u8> bytes, std::size_t at, u16 value) {
  bytes[at] = static_cast<u8>(value >> 8);
  bytes[at + 1] = static_cast<u8>(value);
}
void put_dword(std::span<u8> bytes, std::size_t at, u32 value) {
  put_word(bytes, at, static_cast<u16>(value >> 16));
  put_word(bytes, at + 2, static_cast<u16>(value));
}

u16 fold(u64 sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u16>(sum);
}

void put_ipv4_checksum(std::span<u8> frame) {
  put_word(frame, kIp + kIpv4Checksum, 0);
  put_word(frame, kIp + kIpv4Checksum, static_cast<u16>(~ones_sum(frame.subspan(kIp, kIpv4Bytes))));
}

}  // namespace

// RFC 1071: words may be summed in any byte order, and swapped at the end.
u16 ones_sum(std::span<const u8> bytes, u32 start) {
  u64 sum = 0;
  const u8* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    u64 eight;
    std::memcpy(&eight, at, 8);
    sum += (eight & 0xffff'ffff) + (eight >> 32);
  }
  for (; left >= 2; at += 2, left -= 2) sum += u64{at[0]} | u64{at[1]} << 8;
  if (left != 0) sum += at[0];
  const u16 swapped = fold(sum);
  return fold(u64{start} + static_cast<u16>(swapped << 8 | swapped >> 8));
}

std::optional<TcpFrame> parse_tcp(std::span<const u8> frame) {
  if (frame.size() < kIp + kIpv4Bytes + kTcpBytes) return std::nullopt;
  TcpFrame tcp;
  std::size_t end;
  switch (word(frame, 12)) {
    case kTypeIpv4:
      if (frame[kIp] != 0x45 || frame[kIp + kIpv4Protocol] != kProtocolTcp ||
          (word(frame, kIp + kIpv4Fragment) & kFragment) != 0)
        return std::nullopt;
      tcp.tcp = kIp + kIpv4Bytes;
      end = kIp + word(frame, kIp + kIpv4Length);
      break;
    case kTypeIpv6:
      if (frame[kIp] >> 4 != 6 || frame[kIp + kIpv6Next] != kProtocolTcp) return std::nullopt;
      tcp.v6 = true;
      tcp.tcp = kIp + kIpv6Bytes;
      end = tcp.tcp + word(frame, kIp + kIpv6Length);
      break;
    default: return std::nullopt;
  }
  if (end > frame.size() || end < tcp.tcp + kTcpBytes) return std::nullopt;
  const unsigned header_bytes = 4 * (frame[tcp.tcp + kTcpOffset] >> 4);
  if (header_bytes < kTcpBytes || end < tcp.tcp + header_bytes) return std::nullopt;
  tcp.payload = static_cast<u16>(tcp.tcp + header_bytes);
  tcp.payload_bytes = static_cast<u32>(end - tcp.payload);
  tcp.sequence = dword(frame, tcp.tcp + kTcpSequence);
  tcp.acknowledged = dword(frame, tcp.tcp + kTcpAcknowledged);
  tcp.flags = frame[tcp.tcp + kTcpFlags];
  return tcp;
}

std::optional<TcpFrame> parse_large_tcp(std::span<u8> frame) {
  if (frame.size() < kIp + kIpv4Bytes + kTcpBytes || frame.size() > kMaxFrameBytes) return std::nullopt;
  const bool v6 = word(frame, 12) == kTypeIpv6;
  const std::size_t bytes = frame.size() - kIp - (v6 ? kIpv6Bytes : 0);
  if (bytes > 0xffff || (v6 && frame.size() < kIp + kIpv6Bytes)) return std::nullopt;
  put_word(frame, kIp + (v6 ? kIpv6Length : kIpv4Length), static_cast<u16>(bytes));
  return parse_tcp(frame);
}

u16 pseudo_sum(std::span<const u8> frame, const TcpFrame& tcp, u32 transport_bytes) {
  const auto addresses = tcp.v6 ? frame.subspan(kIp + kIpv6Source, 32) : frame.subspan(kIp + kIpv4Source, 8);
  return ones_sum(addresses, kProtocolTcp + (transport_bytes & 0xffff) + (transport_bytes >> 16));
}

bool has_right_checksums(std::span<const u8> frame, const TcpFrame& tcp) {
  if (!tcp.v6 && ones_sum(frame.subspan(kIp, kIpv4Bytes)) != 0xffff) return false;
  const u32 bytes = tcp.end() - tcp.tcp;
  return ones_sum(frame.subspan(tcp.tcp, bytes), pseudo_sum(frame, tcp, bytes)) == 0xffff;
}

bool complete_checksum(std::span<u8> frame, u32 start, u32 offset) {
  if (u64{start} + offset + 2 > frame.size()) return false;
  const u16 sum = static_cast<u16>(~ones_sum(frame.subspan(start)));
  // What is 0 would say in UDP that there is none: RFC 768.
  put_word(frame, start + offset, sum == 0 ? 0xffff : sum);
  return true;
}

void finish_joined_tcp(std::span<u8> frame, const TcpFrame& tcp) {
  const u32 bytes = static_cast<u32>(frame.size()) - tcp.tcp;
  if (tcp.v6) {
    put_word(frame, kIp + kIpv6Length, static_cast<u16>(bytes));
  } else {
    put_word(frame, kIp + kIpv4Length, static_cast<u16>(kIpv4Bytes + bytes));
    put_ipv4_checksum(frame);
  }
  put_word(frame, tcp.tcp + kTcpChecksum, pseudo_sum(frame, tcp, bytes));
}

void finish_tcp(std::span<u8> frame, const TcpFrame& tcp) {
  finish_joined_tcp(frame, tcp);
  put_word(frame, tcp.tcp + kTcpChecksum, static_cast<u16>(~ones_sum(frame.subspan(tcp.tcp))));
}

void segment_tcp(std::span<const u8> frame, const TcpFrame& tcp, u32 segment_bytes,
                 const std::function<void(std::span<const u8>)>& emit) {
  std::vector<u8> segment;
  u16 number = 0;
  for (u32 done = 0; done < tcp.payload_bytes; ++number) {
    const u32 bytes = std::min(segment_bytes, tcp.payload_bytes - done);
    const bool first = done == 0;
    const bool last = done + bytes == tcp.payload_bytes;
    segment.assign(frame.begin(), frame.begin() + tcp.payload);
    const auto from = frame.begin() + tcp.payload + done;
    segment.insert(segment.end(), from, from + bytes);
    put_dword(segment, tcp.tcp + kTcpSequence, tcp.sequence + done);
    if (!first) segment[tcp.tcp + kTcpFlags] &= static_cast<u8>(~TcpFrame::kCwr);
    if (!last) segment[tcp.tcp + kTcpFlags] &= static_cast<u8>(~(TcpFrame::kFin | TcpFrame::kPsh));
    if (!tcp.v6) put_word(segment, kIp + kIpv4Id, static_cast<u16>(word(frame, kIp + kIpv4Id) + number));
    finish_tcp(segment, tcp);
    emit(segment);
    done += bytes;
  }
}

}  // namespace reprise::devices
