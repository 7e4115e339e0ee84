#include "devices/net/frame_backlog.h"

#include <algorithm>
#include <utility>

#include "devices/net/net_card.h"

namespace reprise::devices {
namespace {

constexpr std::size_t kMaxJoinedBytes = 65535;
constexpr unsigned kIp = kEthernetHeaderBytes;
constexpr unsigned kTcpWindow = 14;
constexpr unsigned kTcpFlagsAt = 13;

bool same_bytes(std::span<const u8> a, std::span<const u8> b, std::size_t first, std::size_t last) {
  return std::equal(a.begin() + static_cast<std::ptrdiff_t>(first),
                    a.begin() + static_cast<std::ptrdiff_t>(last),
                    b.begin() + static_cast<std::ptrdiff_t>(first));
}

/// Addresses, types of service and time to live are the same; lengths, IPv4's identification and checksum need not be.
bool same_headers(std::span<const u8> a, std::span<const u8> b, const TcpFrame& tcp) {
  if (tcp.v6) return same_bytes(a, b, 0, kIp + 4) && same_bytes(a, b, kIp + 6, tcp.tcp);
  return same_bytes(a, b, 0, kIp + 2) && same_bytes(a, b, kIp + 6, kIp + 10) &&
         same_bytes(a, b, kIp + 12, tcp.tcp);
}

/// Carries data and nothing that a driver must see by itself.
bool is_plain_data(const TcpFrame& tcp) {
  return (tcp.flags & ~TcpFrame::kPsh) == TcpFrame::kAck && tcp.payload_bytes != 0;
}

/// Makes `next` the end of `packet`, if it is the next segment of its stream.
bool join(ReceivedPacket& packet, std::span<const u8> next) {
  const std::optional<TcpFrame> tcp = parse_tcp(next);
  if (!tcp || tcp->v6 != packet.tcp.v6 || tcp->payload != packet.tcp.payload || !is_plain_data(*tcp))
    return false;
  TcpFrame& joined = packet.tcp;
  const u32 whole_bytes = packet.segment_bytes;
  // Only the last may be shorter, or pushed.
  const bool goes_on =
      joined.payload_bytes == packet.segments * whole_bytes && !(joined.flags & TcpFrame::kPsh);
  if (!goes_on || tcp->payload_bytes > whole_bytes ||
      tcp->sequence != joined.sequence + joined.payload_bytes || tcp->acknowledged != joined.acknowledged ||
      joined.end() - kEthernetHeaderBytes + tcp->payload_bytes > kMaxJoinedBytes)
    return false;
  if (!same_headers(packet.frame, next, joined) ||
      !same_bytes(packet.frame, next, joined.tcp, joined.tcp + 4u) ||
      !same_bytes(packet.frame, next, joined.tcp + 20u, joined.payload) || !has_right_checksums(next, *tcp))
    return false;
  packet.frame.resize(joined.end());
  const auto data = next.subspan(tcp->payload, tcp->payload_bytes);
  packet.frame.insert(packet.frame.end(), data.begin(), data.end());
  joined.payload_bytes += tcp->payload_bytes;
  joined.flags |= tcp->flags;
  packet.frame[joined.tcp + kTcpFlagsAt] = joined.flags;
  for (const unsigned i : {0u, 1u})
    packet.frame[joined.tcp + kTcpWindow + i] = next[joined.tcp + kTcpWindow + i];
  return true;
}

}  // namespace

bool FrameBacklog::push(std::span<const u8> frame) {
  if (frame.size() < kEthernetHeaderBytes || frame.size() > kMaxFrameBytes) return false;
  if (frames_.size() >= kMaxFrames || bytes_ + frame.size() > kMaxBytes) return false;
  frames_.emplace_back(frame.begin(), frame.end());
  bytes_ += frame.size();
  return true;
}

ReceivedPacket FrameBacklog::first(JoinRules rules) const {
  ReceivedPacket packet;
  packet.frame = frames_.front();
  const std::optional<TcpFrame> tcp = parse_tcp(packet.frame);
  if (!tcp || !has_right_checksums(packet.frame, *tcp)) return packet;
  packet.checked = true;
  packet.tcp = *tcp;
  packet.segment_bytes = tcp->payload_bytes;
  if (!(tcp->v6 ? rules.v6 : rules.v4) || !is_plain_data(*tcp)) return packet;
  while (packet.segments < frames_.size() && join(packet, frames_[packet.segments])) ++packet.segments;
  if (packet.segments != 1) finish_joined_tcp(packet.frame, packet.tcp);
  return packet;
}

void FrameBacklog::drop(u32 count) {
  for (; count != 0 && !frames_.empty(); --count) {
    bytes_ -= frames_.front().size();
    frames_.pop_front();
  }
}

void FrameBacklog::clear() {
  frames_.clear();
  bytes_ = 0;
}

void FrameBacklog::serialize(Archive& archive) {
  archive.tag("frames");
  u64 count = frames_.size();
  archive.at_most(count, kMaxFrames);
  if (!archive.loading()) {
    for (std::vector<u8>& frame : frames_) archive.value(frame);
    return;
  }
  clear();
  for (u64 i = 0; i < count && archive.ok(); ++i) {
    std::vector<u8> frame;
    archive.value(frame, kMaxFrameBytes);
    if (archive.ok() && !push(frame)) archive.fail();
  }
}

}  // namespace reprise::devices
