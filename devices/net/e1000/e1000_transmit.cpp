// Frames of the driver's: descriptors of three kinds, checksums, segmentation. Intel 82540EM manual, 3.3 to 3.6.
//
//     legacy     {address, length, CSO, command, status, CSS, tag}
//     context    what and where the checksums of the next packets are
//     data       {address, length, kind and command, status, options, tag}
//
// The last descriptor of a packet says EOP. One that a packet is too long for is lost as a whole.
#include <algorithm>

#include "common/bits.h"
#include "devices/net/e1000/e1000.h"
#include "devices/net/e1000/registers.h"

namespace reprise::devices {

using namespace e1000;

namespace {

// The command byte, 3.3.3.1, 3.3.7.1.
constexpr u8 kEndOfPacket = 1, kLegacyChecksum = 1 << 2, kSegmented = 1 << 2, kReport = 1 << 3,
             kExtended = 1 << 5, kInsertTag = 1 << 6;
constexpr u8 kIpOption = 1, kTcpOption = 2;
constexpr u8 kKindData = 1;
constexpr u8 kDone = 1;
constexpr u32 kStatusOffset = 12;
constexpr std::size_t kMaxPacketBytes = kMaxFrameBytes - 4;  // a tag may be put in
constexpr std::size_t kShortestFrameBytes = 60;              // shorter ones are padded

}  // namespace

void E1000::start_transmitting() {
  if (!(reg(kTctl) & kTransmitOn) || !bus_master() || reg(kTdh) == reg(kTdt) || reg(kTdlen) == 0) return;
  if (clock_.deadline_ns(transmit_timer_) == Clock::kNever)
    clock_.arm(transmit_timer_, clock_.now_ns() + kTransmitDelayNs);
}

void E1000::transmit_event() {
  const u32 count = reg(kTdlen) / kDescriptorBytes;
  if (!(reg(kTctl) & kTransmitOn) || !bus_master() || count == 0) return;
  u32 causes = 0;
  u64 bytes = 0;
  for (unsigned i = 0; i < kBurst && reg(kTdh) != reg(kTdt); ++i) {
    if (reg(kTdh) >= count) reg(kTdh) = 0;
    const u64 base = u64{reg(kTdbah)} << 32 | reg(kTdbal);
    const std::size_t before = packet_.bytes.size();
    causes |= take_descriptor(base + u64{reg(kTdh)} * kDescriptorBytes);
    bytes += std::max(before, packet_.bytes.size());
    reg(kTdh) = (reg(kTdh) + 1) % count;
    // A tail that is not in the ring is never met.
    if (reg(kTdt) >= count && reg(kTdh) == 0) reg(kTdh) = reg(kTdt);
  }
  if (reg(kTdh) == reg(kTdt))
    causes |= kTransmitEmpty;
  else
    clock_.arm(transmit_timer_, clock_.now_ns() + burst_ns(bytes));
  raise(causes);
}

u32 E1000::take_descriptor(u64 phys) {
  std::array<u8, kDescriptorBytes> raw{};
  if (!dma_.dma_read(phys, raw)) return 0;
  const u64 address = read_unaligned<u64>(raw.data());
  const u32 word2 = read_unaligned<u32>(raw.data() + 8);
  const u32 word3 = read_unaligned<u32>(raw.data() + 12);
  const u8 command = static_cast<u8>(word2 >> 24);
  const bool extended = (command & kExtended) != 0;
  if (extended && (word2 >> 20 & 15) != kKindData) {
    context_ = {.ip_start = raw[0],
                .ip_offset = raw[1],
                .ip_end = static_cast<u16>(raw[2] | raw[3] << 8),
                .tcp_start = raw[4],
                .tcp_offset = raw[5],
                .tcp_end = static_cast<u16>(raw[6] | raw[7] << 8),
                .segment_bytes = static_cast<u16>(word3 >> 16)};
  } else {
    const u32 bytes = extended ? word2 & 0xf'ffff : word2 & 0xffff;
    if (packet_.bytes.empty()) {
      packet_.segmented = extended && (command & kSegmented);
      packet_.ip_checksum = extended && (raw[13] & kIpOption);
      packet_.tcp_checksum = extended && (raw[13] & kTcpOption);
    }
    packet_.too_long |= bytes > kMaxPacketBytes - packet_.bytes.size();
    if (!packet_.too_long) {
      const std::size_t before = packet_.bytes.size();
      packet_.bytes.resize(before + bytes);
      dma_.dma_read(address, std::span(packet_.bytes).subspan(before));
    }
    if (command & kEndOfPacket) {
      packet_.tagged = (command & kInsertTag) && (reg(kCtrl) & kCtrlVlan);
      packet_.tag = static_cast<u16>(word3 >> 16);
      if (!extended && (command & kLegacyChecksum))
        complete_checksum(packet_.bytes, raw[13], raw[10] - u32{raw[13]});
      send_packet();
      packet_ = {};
    }
  }
  if (!(command & kReport)) return 0;
  const u8 status = static_cast<u8>(raw[kStatusOffset] | kDone);
  dma_.dma_write(phys + kStatusOffset, {&status, 1});
  return kTransmitted;
}

void E1000::send_packet() {
  std::vector<u8>& bytes = packet_.bytes;
  if (packet_.too_long || bytes.size() < kEthernetHeaderBytes || !link_) return;
  bytes.resize(std::max(bytes.size(), kShortestFrameBytes));
  // Before a tag moves everything: the context counts without it.
  const std::optional<TcpFrame> tcp = packet_.segmented ? parse_large_tcp(bytes) : std::nullopt;
  if (packet_.segmented) {
    if (!tcp || context_.segment_bytes == 0) return;
    if (tcp->payload_bytes <= context_.segment_bytes || network_.takes_large_frames()) {
      finish_tcp(bytes, *tcp);
      return send_whole(bytes);
    }
    return segment_tcp(bytes, *tcp, context_.segment_bytes,
                       [this](std::span<const u8> segment) { send_whole(segment); });
  }
  const auto checksum = [&](u32 start, u32 offset, u32 last) {
    // An end of 0 is that of the packet; offsets count from its beginning.
    const std::size_t end = last == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), last + 1u);
    if (offset < start || start >= end) return;
    complete_checksum(std::span(bytes).first(end), start, offset - start);
  };
  if (packet_.ip_checksum && context_.ip_offset + 2u <= bytes.size()) {
    bytes[context_.ip_offset] = bytes[context_.ip_offset + 1u] = 0;
    checksum(context_.ip_start, context_.ip_offset, context_.ip_end);
  }
  if (packet_.tcp_checksum) checksum(context_.tcp_start, context_.tcp_offset, context_.tcp_end);
  send_whole(bytes);
}

void E1000::send_whole(std::span<const u8> frame) {
  count(kGoodSent, 1);
  count(kBytesSent, frame.size());
  if (!packet_.tagged) return network_.send(*this, frame);
  std::vector<u8> tagged(frame.begin(), frame.begin() + 12);
  for (const u16 value : {static_cast<u16>(reg(kVet)), packet_.tag}) {
    tagged.push_back(static_cast<u8>(value >> 8));
    tagged.push_back(static_cast<u8>(value));
  }
  tagged.insert(tagged.end(), frame.begin() + 12, frame.end());
  network_.send(*this, tagged);
}

}  // namespace reprise::devices
