// Frames for the driver: filters, and descriptors {address, length, checksum, status, errors, tag}. Intel 82540EM manual,
// 3.2; filters 3.2.1.
#include <algorithm>

#include "common/bits.h"
#include "devices/net/e1000/e1000.h"
#include "devices/net/e1000/registers.h"

namespace reprise::devices {

using namespace e1000;

namespace {

// Status, 3.2.3.1.
constexpr u8 kDone = 1, kEndOfPacket = 2, kIgnoreChecksums = 4, kTcpChecked = 1 << 5, kIpChecked = 1 << 6;
constexpr u32 kCrcBytes = 4;
constexpr std::size_t kShortestFrameBytes = 60;
constexpr u8 kGroup = 1;
// RXCSUM
constexpr u32 kCheckIp = 1u << 8, kCheckTcp = 1u << 9;

}  // namespace

bool E1000::passes(std::span<const u8> frame) const {
  const u32 rctl = reg(kRctl);
  if ((rctl & kVlanFilter) && (frame[12] << 8 | frame[13]) == kTypeVlan && frame.size() >= 16) {
    const u32 vlan = (u32{frame[14]} << 8 | frame[15]) & 0xfff;
    if (!(reg(kVlanTable + 4 * (vlan >> 5)) >> (vlan & 31) & 1)) return false;
  }
  const bool group = (frame[0] & kGroup) != 0;
  if (group && std::all_of(frame.begin(), frame.begin() + 6, [](u8 byte) { return byte == 0xff; }) &&
      (rctl & kBroadcasts))
    return true;
  if (rctl & (group ? kMulticastAll : kUnicastAll)) return true;
  const u32 low = u32{frame[0]} | u32{frame[1]} << 8 | u32{frame[2]} << 16 | u32{frame[3]} << 24;
  const u32 high = u32{frame[4]} | u32{frame[5]} << 8;
  for (u32 i = 0; i < kReceiveAddressCount; ++i)
    if (reg(kReceiveAddresses + 8 * i) == low &&
        (reg(kReceiveAddresses + 8 * i + 4) & (kAddressValid | 0xffff)) == (kAddressValid | high))
      return true;
  if (!group) return false;
  // 13.5.1: which twelve bits of the address say the place in the table.
  constexpr unsigned kShifts[] = {4, 3, 2, 0};
  const u32 hash = (high >> kShifts[rctl >> 12 & 3]) & 0xfff;
  return (reg(kMulticastTable + 4 * (hash >> 5)) >> (hash & 31) & 1) != 0;
}

void E1000::receive(std::span<const u8> frame) {
  if (!link_ || !(reg(kRctl) & kReceiveOn) || frame.size() < kEthernetHeaderBytes || !passes(frame)) return;
  if (backlog_.push(frame))
    start_receiving();
  else
    count(kMissed, 1);
}

u32 E1000::free_descriptors() const {
  const u32 all = reg(kRdlen) / kDescriptorBytes;
  if (all == 0 || !(reg(kRctl) & kReceiveOn) || !bus_master()) return 0;
  const u32 head = reg(kRdh) % all;
  const u32 tail = std::min(reg(kRdt), all);
  return head <= tail ? tail - head : all - head + tail;
}

u32 E1000::buffer_bytes() const {
  const u32 size = reg(kRctl) >> 16 & 3;
  if (!(reg(kRctl) & kLargeBuffers) || size == 0) return 2048u >> size;
  return 32768u >> size;
}

void E1000::start_receiving() {
  if (backlog_.empty() || free_descriptors() == 0) return;
  if (clock_.deadline_ns(receive_timer_) == Clock::kNever)
    clock_.arm(receive_timer_, clock_.now_ns() + kReceiveDelayNs);
}

void E1000::receive_event() {
  u32 causes = 0;
  u64 bytes = 0;
  for (unsigned i = 0; i < kBurst && !backlog_.empty(); ++i) {
    const ReceivedPacket packet = backlog_.first({});
    if (deliver(packet) == Delivery::NoDescriptors) {
      causes |= kOverrun;
      break;
    }
    causes |= kReceived;
    bytes += packet.frame.size();
    backlog_.drop(1);
  }
  // RDMTS: half, a quarter or an eighth of the ring.
  if (free_descriptors() <= reg(kRdlen) / kDescriptorBytes >> (1 + std::min(reg(kRctl) >> 8 & 3, 2u)))
    causes |= kReceiveLow;
  if (!backlog_.empty() && free_descriptors() != 0)
    clock_.arm(receive_timer_, clock_.now_ns() + burst_ns(bytes));
  raise(causes);
}

E1000::Delivery E1000::deliver(const ReceivedPacket& packet) {
  std::vector<u8> bytes = packet.frame;
  bytes.resize(std::max(bytes.size(), kShortestFrameBytes));
  // Nobody looks at the checksum of the frame, but it is there.
  if (!(reg(kRctl) & kStripCrc)) bytes.resize(bytes.size() + kCrcBytes);
  const u32 wanted = static_cast<u32>((bytes.size() + buffer_bytes() - 1) / buffer_bytes());
  if (wanted > free_descriptors()) return Delivery::NoDescriptors;
  const u32 all = reg(kRdlen) / kDescriptorBytes;
  const u64 base = u64{reg(kRdbah)} << 32 | reg(kRdbal);
  u8 checked = kIgnoreChecksums;
  if (packet.checked && (reg(kRxcsum) & (kCheckIp | kCheckTcp)))
    checked = static_cast<u8>((packet.tcp.v6 || !(reg(kRxcsum) & kCheckIp) ? 0 : kIpChecked) |
                              (reg(kRxcsum) & kCheckTcp ? kTcpChecked : 0));
  std::span<const u8> left(bytes);
  for (u32 i = 0; i < wanted; ++i) {
    const u32 head = reg(kRdh) % all;
    const u64 phys = base + u64{head} * kDescriptorBytes;
    std::array<u8, kDescriptorBytes> raw{};
    dma_.dma_read(phys, raw);
    const auto part = left.first(std::min<std::size_t>(left.size(), buffer_bytes()));
    left = left.subspan(part.size());
    if (const u64 buffer = read_unaligned<u64>(raw.data()); buffer != 0) dma_.dma_write(buffer, part);
    write_unaligned<u16>(raw.data() + 8, static_cast<u16>(part.size()));
    write_unaligned<u16>(raw.data() + 10, 0);
    raw[12] = static_cast<u8>(kDone | (left.empty() ? kEndOfPacket | checked : 0));
    raw[13] = 0;
    write_unaligned<u16>(raw.data() + 14, 0);
    dma_.dma_write(phys, raw);
    reg(kRdh) = (head + 1) % all;
  }
  count(kGoodReceived, 1);
  count(kBytesReceived, bytes.size());
  return Delivery::Done;
}

}  // namespace reprise::devices
