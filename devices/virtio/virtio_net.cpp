#include "devices/virtio/virtio_net.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr unsigned kReceiveQueue = 0;
constexpr unsigned kTransmitQueue = 1;
constexpr unsigned kControlQueue = 2;
constexpr u16 kQueueSize = 256;
constexpr u16 kControlQueueSize = 64;

// Features, 5.1.3.
constexpr unsigned kChecksum = 0;
constexpr unsigned kGuestChecksum = 1;
constexpr unsigned kControlGuestOffloads = 2;
constexpr unsigned kMac = 5;
constexpr unsigned kGuestTso4 = 7;
constexpr unsigned kGuestTso6 = 8;
constexpr unsigned kHostTso4 = 11;
constexpr unsigned kHostTso6 = 12;
constexpr unsigned kMergeableBuffers = 15;
constexpr unsigned kStatus = 16;
constexpr unsigned kControl = 17;
constexpr unsigned kControlReceive = 18;
constexpr unsigned kControlVlan = 19;
constexpr unsigned kControlReceiveExtra = 20;
constexpr unsigned kGuestAnnounce = 21;
constexpr unsigned kControlMac = 23;
constexpr unsigned kVersion1 = 32;

constexpr u64 features(std::initializer_list<unsigned> indices) {
  u64 bits = 0;
  for (const unsigned index : indices) bits |= u64{1} << index;
  return bits;
}
constexpr u64 kOffered =
    features({kChecksum, kGuestChecksum, kControlGuestOffloads, kMac, kGuestTso4, kGuestTso6, kHostTso4,
              kHostTso6, kMergeableBuffers, kStatus, kControl, kControlReceive, kControlVlan,
              kControlReceiveExtra, kGuestAnnounce, kControlMac});
constexpr u64 kReceiveOffloads = features({kGuestChecksum, kGuestTso4, kGuestTso6});

// Configuration, 5.1.4.
constexpr u32 kStatusOffset = 6;
constexpr u8 kStatusLinkUp = 1;
constexpr u8 kStatusAnnounce = 2;

// Header, 5.1.6.
constexpr unsigned kHeaderBytes = 12;
constexpr unsigned kOldHeaderBytes = 10;  // of legacy drivers that merge no buffers
constexpr u8 kNeedsChecksum = 1;
constexpr u8 kDataValid = 2;
constexpr u8 kGsoNone = 0;
constexpr u8 kGsoTcp4 = 1;
constexpr u8 kGsoTcp6 = 4;
constexpr u16 kTcpChecksumOffset = 16;

// Commands, 5.1.6.5: kinds, and what each has.
constexpr u8 kKindReceive = 0, kKindMac = 1, kKindVlan = 2, kKindAnnounce = 3, kKindOffloads = 5;
constexpr u8 kMacTableSet = 0, kMacAddressSet = 1;
constexpr u8 kVlanAdd = 0, kVlanRemove = 1;
constexpr u8 kAnnounceAck = 0;
constexpr u8 kOffloadsSet = 0;
/// The largest that makes sense: two tables of addresses.
constexpr u64 kMaxCommandBytes = 64 * 1024;

/// More buffers than a large packet takes whose buffers hold a small frame each.
constexpr std::size_t kMaxMergedBuffers = 64;

// Virtual time: from a notification, or a frame's arrival, to the beginning of a burst; and 8 Gbit/s.
constexpr u64 kTransmitDelayNs = 2'000;
constexpr u64 kReceiveDelayNs = 3'000;
constexpr u64 kControlDelayNs = 1'000;
constexpr u64 burst_ns(u64 bytes) { return 1'000 + bytes; }

u16 little_word(std::span<const u8> bytes, std::size_t at) {
  return static_cast<u16>(bytes[at] | bytes[at + 1] << 8);
}
void put_word(std::span<u8> bytes, std::size_t at, u16 value) {
  bytes[at] = static_cast<u8>(value);
  bytes[at + 1] = static_cast<u8>(value >> 8);
}
u32 dword(std::span<const u8> bytes, std::size_t at) {
  return little_word(bytes, at) | u32{little_word(bytes, at + 2)} << 16;
}

VirtioModel model(u32 config_bytes) {
  return {.device_id = 1,
          .pci_device = 0x1000,
          .class_code = 0x020000,
          .features = kOffered,
          .queue_sizes = {kQueueSize, kQueueSize, kControlQueueSize},
          .config_bytes = config_bytes};
}

}  // namespace

VirtioNet::VirtioNet(NetBackend& network, const MacAddress& mac, Clock& clock)
    : VirtioDevice(model(kConfigBytes), clock),
      network_(network),
      burnt_in_mac_(mac),
      transmit_timer_(clock.create_timer("virtio-net-transmit", [this] { transmit_event(); })),
      receive_timer_(clock.create_timer("virtio-net-receive", [this] { receive_event(); })),
      control_timer_(clock.create_timer("virtio-net-control", [this] { control_event(); })),
      mac_(mac) {}

void VirtioNet::reset(ResetKind kind) {
  mac_ = burnt_in_mac_;
  VirtioDevice::reset(kind);
}

void VirtioNet::reset_kind() {
  must_announce_ = false;
  offloads_ = 0;
  filter_.reset();
  backlog_.clear();
  for (const Clock::TimerId timer : {transmit_timer_, receive_timer_, control_timer_}) clock().cancel(timer);
}

void VirtioNet::features_chosen() {
  offloads_ = 0;
  for (const unsigned index : {kGuestChecksum, kGuestTso4, kGuestTso6})
    if (has_feature(index)) offloads_ |= u64{1} << index;
  filter_.reset(has_feature(kControlVlan));
}

u8 VirtioNet::config_byte(u32 offset) const {
  if (offset < mac_.size()) return mac_[offset];
  if (offset != kStatusOffset) return 0;
  return static_cast<u8>((link_ ? kStatusLinkUp : 0) | (must_announce_ ? kStatusAnnounce : 0));
}

// 5.1.4: only legacy drivers may.
void VirtioNet::config_byte_written(u32 offset, u8 value) {
  if (is_legacy() && offset < mac_.size()) mac_[offset] = value;
}

void VirtioNet::set_link(bool up) {
  if (up == link_) return;
  link_ = up;
  // Who comes back may be somewhere else, and says so. 5.1.6.5.4.
  must_announce_ = up && has_feature(kGuestAnnounce);
  if (!up) backlog_.clear();
  ++config_generation_;
  config_interrupt();
}

bool VirtioNet::takes_merged() const { return has_feature(kMergeableBuffers); }

unsigned VirtioNet::header_bytes() const {
  return has_feature(kVersion1) || takes_merged() ? kHeaderBytes : kOldHeaderBytes;
}

void VirtioNet::notified(unsigned queue) {
  const auto begin = [this](Clock::TimerId timer, u64 delay_ns) {
    if (clock().deadline_ns(timer) == Clock::kNever) clock().arm(timer, clock().now_ns() + delay_ns);
  };
  switch (queue) {
    case kReceiveQueue: return start_receiving();
    case kTransmitQueue: return begin(transmit_timer_, kTransmitDelayNs);
    default: return begin(control_timer_, kControlDelayNs);
  }
}

// --- From the driver ---

void VirtioNet::transmit_event() {
  u64 bytes = 0;
  for (unsigned count = 0; count < kBurst; ++count) {
    const std::optional<VirtioChain> chain = pop(kTransmitQueue);
    if (!chain) return;
    bytes += std::min<u64>(chain->readable_bytes(), kMaxFrameBytes);
    transmit(*chain);
    push(kTransmitQueue, *chain, 0);
  }
  if (has_request(kTransmitQueue)) clock().arm(transmit_timer_, clock().now_ns() + burst_ns(bytes));
}

// A frame that is none, or asks for what was not agreed on, is lost; only a buffer without room for a header breaks the
// rules so that nobody can know what is meant.
void VirtioNet::transmit(const VirtioChain& chain) {
  const u64 bytes = chain.readable_bytes();
  if (bytes < header_bytes()) return fail();
  const u64 frame_bytes = bytes - header_bytes();
  if (!link_ || frame_bytes < kEthernetHeaderBytes || frame_bytes > kMaxFrameBytes) return;
  buffer_.resize(bytes);
  if (!VirtioCursor(chain.readable, dma()).read(buffer_)) return;
  const std::span<const u8> raw(buffer_);
  const Header header = {.flags = raw[0],
                         .gso_type = raw[1],
                         .header_bytes = little_word(raw, 2),
                         .segment_bytes = little_word(raw, 4),
                         .checksum_start = little_word(raw, 6),
                         .checksum_offset = little_word(raw, 8)};
  const std::span<u8> frame = std::span(buffer_).subspan(header_bytes());
  if (header.gso_type != kGsoNone) return send_segments(header, frame);
  if ((header.flags & kNeedsChecksum) &&
      (!has_feature(kChecksum) || !complete_checksum(frame, header.checksum_start, header.checksum_offset)))
    return;
  network_.send(*this, frame);
}

void VirtioNet::send_segments(const Header& header, std::span<u8> frame) {
  const bool v6 = header.gso_type == kGsoTcp6;
  if (!v6 && header.gso_type != kGsoTcp4) return;
  const std::optional<TcpFrame> tcp = parse_large_tcp(frame);
  if (!has_feature(v6 ? kHostTso6 : kHostTso4) || !tcp || tcp->v6 != v6 || header.segment_bytes == 0) return;
  frame = frame.first(tcp->end());
  if (tcp->payload_bytes > header.segment_bytes && !network_.takes_large_frames())
    return segment_tcp(frame, *tcp, header.segment_bytes,
                       [this](std::span<const u8> segment) { network_.send(*this, segment); });
  finish_tcp(frame, *tcp);
  network_.send(*this, frame);
}

// --- To the driver ---

void VirtioNet::receive(std::span<const u8> frame) {
  if (!link_ || !running() || frame.size() < kEthernetHeaderBytes || !filter_.passes(frame, mac_)) return;
  if (backlog_.push(frame)) start_receiving();
}

void VirtioNet::start_receiving() {
  if (backlog_.empty() || clock().deadline_ns(receive_timer_) != Clock::kNever) return;
  if (has_request(kReceiveQueue)) clock().arm(receive_timer_, clock().now_ns() + kReceiveDelayNs);
}

void VirtioNet::receive_event() {
  // Large packets need merged buffers: others are of the driver's size for a frame.
  const auto joins = [this](unsigned feature) { return takes_merged() && (offloads_ >> feature & 1) != 0; };
  const JoinRules rules = {.v4 = joins(kGuestTso4), .v6 = joins(kGuestTso6)};
  u64 bytes = 0;
  for (unsigned count = 0; count < kBurst && !backlog_.empty(); ++count) {
    if (!has_request(kReceiveQueue)) return;
    const ReceivedPacket packet = backlog_.first(rules);
    if (deliver(packet) == Delivery::NoBuffers) return;
    bytes += packet.frame.size();
    backlog_.drop(packet.segments);
  }
  if (!backlog_.empty() && has_request(kReceiveQueue))
    clock().arm(receive_timer_, clock().now_ns() + burst_ns(bytes));
}

VirtioNet::Header VirtioNet::header_of(const ReceivedPacket& packet) const {
  Header header;
  if (packet.segments > 1) {
    header.flags = kNeedsChecksum;
    header.gso_type = packet.tcp.v6 ? kGsoTcp6 : kGsoTcp4;
    header.header_bytes = packet.tcp.payload;
    header.segment_bytes = static_cast<u16>(packet.segment_bytes);
    header.checksum_start = packet.tcp.tcp;
    header.checksum_offset = kTcpChecksumOffset;
  } else if (packet.checked && (offloads_ >> kGuestChecksum & 1) != 0) {
    header.flags = kDataValid;
  }
  return header;
}

VirtioNet::Delivery VirtioNet::deliver(const ReceivedPacket& packet) {
  const u64 wanted = header_bytes() + packet.frame.size();
  std::vector<VirtioChain> chains;
  u64 room = 0;
  const auto put_all_back = [&] { put_back(kReceiveQueue, static_cast<unsigned>(chains.size())); };
  while (room < wanted) {
    if (chains.size() == (takes_merged() ? kMaxMergedBuffers : 1)) {
      put_all_back();
      return Delivery::Done;
    }
    std::optional<VirtioChain> chain = pop(kReceiveQueue);
    if (!chain) {
      put_all_back();
      return Delivery::NoBuffers;
    }
    const u64 bytes = chain->writable_bytes();
    room += bytes;
    chains.push_back(std::move(*chain));
    if (bytes == 0 || (chains.size() == 1 && bytes < header_bytes())) {
      fail();
      return Delivery::NoBuffers;
    }
  }
  const Header header = header_of(packet);
  std::array<u8, kHeaderBytes> raw = {header.flags, header.gso_type};
  put_word(raw, 2, header.header_bytes);
  put_word(raw, 4, header.segment_bytes);
  put_word(raw, 6, header.checksum_start);
  put_word(raw, 8, header.checksum_offset);
  put_word(raw, 10, static_cast<u16>(chains.size()));
  std::span<const u8> left(packet.frame);
  for (std::size_t i = 0; i < chains.size(); ++i) {
    VirtioCursor into(chains[i].writable, dma());
    const u64 before = i == 0 ? header_bytes() : 0;
    if (i == 0) into.write(std::span<const u8>(raw).first(header_bytes()));
    const std::size_t bytes = std::min<u64>(chains[i].writable_bytes() - before, left.size());
    into.write(left.first(bytes));
    left = left.subspan(bytes);
    push(kReceiveQueue, chains[i], static_cast<u32>(before + bytes));
  }
  return Delivery::Done;
}

// --- Commands ---

void VirtioNet::control_event() {
  for (unsigned count = 0; count < kBurst; ++count) {
    const std::optional<VirtioChain> chain = pop(kControlQueue);
    if (!chain) return;
    const u64 bytes = chain->readable_bytes();
    if (bytes < 2 || bytes > kMaxCommandBytes || chain->writable_bytes() < 1) return fail();
    std::vector<u8> command(bytes);
    const bool readable = VirtioCursor(chain->readable, dma()).read(command);
    const Ack ack =
        readable ? carry_out(command[0], command[1], std::span<const u8>(command).subspan(2)) : Ack::Error;
    const u8 answer = static_cast<u8>(ack);
    VirtioCursor(chain->writable, dma()).write({&answer, 1});
    push(kControlQueue, *chain, 1);
  }
  if (has_request(kControlQueue)) clock().arm(control_timer_, clock().now_ns() + kControlDelayNs);
}

VirtioNet::Ack VirtioNet::carry_out(u8 kind, u8 command, std::span<const u8> data) {
  switch (kind) {
    case kKindReceive: return set_mode(command, data);
    case kKindMac:
      if (command == kMacTableSet) return set_addresses(data);
      if (command != kMacAddressSet || data.size() != mac_.size()) return Ack::Error;
      std::copy_n(data.begin(), mac_.size(), mac_.begin());
      return Ack::Ok;
    case kKindVlan:
      if ((command != kVlanAdd && command != kVlanRemove) || data.size() != 2 || !has_feature(kControlVlan) ||
          little_word(data, 0) >= ReceiveFilter::kVlans)
        return Ack::Error;
      filter_.set_vlan(little_word(data, 0), command == kVlanAdd);
      return Ack::Ok;
    case kKindAnnounce:
      if (command != kAnnounceAck || !must_announce_) return Ack::Error;
      must_announce_ = false;
      ++config_generation_;
      return Ack::Ok;
    case kKindOffloads: {
      if (command != kOffloadsSet || data.size() != 8 || !has_feature(kControlGuestOffloads))
        return Ack::Error;
      const u64 wanted = dword(data, 0) | u64{dword(data, 4)} << 32;
      for (unsigned index = 0; index < 64; ++index)
        if ((wanted >> index & 1) != 0 && ((kReceiveOffloads >> index & 1) == 0 || !has_feature(index)))
          return Ack::Error;
      offloads_ = wanted;
      return Ack::Ok;
    }
    default: return Ack::Error;
  }
}

// 5.1.6.5.1: the modes in the order of their commands.
VirtioNet::Ack VirtioNet::set_mode(u8 command, std::span<const u8> data) {
  bool* const modes[] = {&filter_.promiscuous,  &filter_.all_multicast, &filter_.all_unicast,
                         &filter_.no_multicast, &filter_.no_unicast,    &filter_.no_broadcast};
  if (command >= std::size(modes) || data.size() != 1) return Ack::Error;
  *modes[command] = data[0] != 0;
  return Ack::Ok;
}

// 5.1.6.5.2: {count, addresses} of single stations, then of groups.
VirtioNet::Ack VirtioNet::set_addresses(std::span<const u8> data) {
  std::vector<MacAddress> tables[2];
  for (std::vector<MacAddress>& table : tables) {
    if (data.size() < 4) return Ack::Error;
    const u32 count = dword(data, 0);
    data = data.subspan(4);
    if (count > data.size() / sizeof(MacAddress)) return Ack::Error;
    table.resize(count);
    for (MacAddress& address : table) {
      std::copy_n(data.begin(), address.size(), address.begin());
      data = data.subspan(address.size());
    }
  }
  if (!data.empty()) return Ack::Error;
  filter_.set_addresses(std::move(tables[0]), std::move(tables[1]));
  return Ack::Ok;
}

// --- State ---

void VirtioNet::serialize(Archive& archive) {
  VirtioDevice::serialize(archive);
  archive.tag("virtio_net");
  archive.value(mac_);
  archive.value(link_);
  archive.value(must_announce_);
  archive.value(config_generation_);
  archive.value(offloads_);
  filter_.serialize(archive);
  backlog_.serialize(archive);
  for (const Clock::TimerId timer : {transmit_timer_, receive_timer_, control_timer_})
    serialize_timer(archive, clock(), timer);
}

std::string VirtioNet::debug_dump() const {
  std::string mac;
  for (const u8 byte : mac_) mac += fmt::format("{}{:02x}", mac.empty() ? "" : ":", byte);
  return fmt::format("mac={} link={} offloads={:x} promiscuous={} backlog={}\n", mac, link_, offloads_,
                     filter_.promiscuous, backlog_.bytes()) +
         VirtioDevice::debug_dump();
}

}  // namespace reprise::devices
