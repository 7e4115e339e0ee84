#include "devices/virtio/virtqueue.h"

#include <fmt/format.h>

#include <array>

#include "common/bits.h"

namespace reprise::devices {
namespace {

// Descriptor flags, 2.7.5.
constexpr u16 kNext = 1;
constexpr u16 kWrite = 2;
constexpr u16 kIndirect = 4;
constexpr u32 kDescriptorBytes = 16;

// Both rings: flags, idx, entries, event.
constexpr u64 kRingIdx = 2;
constexpr u64 kRingEntries = 4;
constexpr u64 kAvailableEntryBytes = 2;
constexpr u64 kUsedEntryBytes = 8;
constexpr u16 kAvailableNoInterrupt = 1;  // 2.7.6

/// 2.7.7.2: does a step of the index from `before` to `after` pass `event`?
bool passes(u16 event, u16 after, u16 before) {
  return static_cast<u16>(after - event - 1) < static_cast<u16>(after - before);
}

u64 total(const std::vector<VirtioSegment>& segments) {
  u64 bytes = 0;
  for (const VirtioSegment& segment : segments) bytes += segment.bytes;
  return bytes;
}

void serialize_segments(Archive& archive, std::vector<VirtioSegment>& segments) {
  u32 count = static_cast<u32>(segments.size());
  archive.value(count);
  if (archive.loading()) {
    if (!archive.ok() || count > Virtqueue::kMaxSegments) return archive.fail();
    segments.resize(count);
  }
  for (VirtioSegment& segment : segments) {
    archive.value(segment.phys);
    archive.value(segment.bytes);
  }
}

}  // namespace

u64 VirtioChain::readable_bytes() const { return total(readable); }
u64 VirtioChain::writable_bytes() const { return total(writable); }

void VirtioChain::serialize(Archive& archive) {
  archive.value(head);
  serialize_segments(archive, readable);
  serialize_segments(archive, writable);
}

void Virtqueue::reset() {
  setup = {};
  setup.size = max_size_;
  broken_ = false;
  next_available_ = next_used_ = announced_used_ = 0;
  announced_valid_ = false;
}

// 2.7: alignments; sizes of the three parts.
bool Virtqueue::well_placed() const {
  const auto fits = [](u64 phys, u64 bytes, u64 alignment) {
    return phys % alignment == 0 && phys <= ~u64{0} - bytes;
  };
  return fits(setup.descriptors_phys, u64{kDescriptorBytes} * setup.size, 16) &&
         fits(setup.driver_ring_phys, kRingEntries + kAvailableEntryBytes * setup.size + 2, 2) &&
         fits(setup.device_ring_phys, kRingEntries + kUsedEntryBytes * setup.size + 2, 4);
}

void Virtqueue::set_size(u64 size) {
  if (std::popcount(size) == 1 && size <= max_size_) setup.size = static_cast<u16>(size);
}

void Virtqueue::place_legacy(u64 phys, u64 alignment) {
  setup.descriptors_phys = phys;
  setup.driver_ring_phys = phys + u64{kDescriptorBytes} * setup.size;
  setup.device_ring_phys =
      align_up(setup.driver_ring_phys + kRingEntries + kAvailableEntryBytes * setup.size + 2, alignment);
  setup.enabled = true;
}

std::optional<u16> Virtqueue::read16(u64 phys) const {
  std::array<u8, 2> bytes{};
  if (!dma_.dma_read(phys, bytes)) return std::nullopt;
  return static_cast<u16>(bytes[0] | bytes[1] << 8);
}

void Virtqueue::write16(u64 phys, u16 value) {
  const std::array<u8, 2> bytes = {static_cast<u8>(value), static_cast<u8>(value >> 8)};
  if (!dma_.dma_write(phys, bytes)) broken_ = true;
}

std::optional<Virtqueue::Descriptor> Virtqueue::read_descriptor(u64 table_phys, u32 index) const {
  std::array<u8, kDescriptorBytes> bytes{};
  if (!dma_.dma_read(table_phys + u64{index} * kDescriptorBytes, bytes)) return std::nullopt;
  Descriptor descriptor;
  for (unsigned i = 0; i < 8; ++i) descriptor.phys |= u64{bytes[i]} << (8 * i);
  for (unsigned i = 0; i < 4; ++i) descriptor.bytes |= u32{bytes[8 + i]} << (8 * i);
  descriptor.flags = static_cast<u16>(bytes[12] | bytes[13] << 8);
  descriptor.next = static_cast<u16>(bytes[14] | bytes[15] << 8);
  return descriptor;
}

/// How many requests wait; nullopt when the index is not readable or makes no sense.
std::optional<u16> Virtqueue::waiting() const {
  const std::optional<u16> index = read16(setup.driver_ring_phys + kRingIdx);
  if (!index) return std::nullopt;
  const u16 count = static_cast<u16>(*index - next_available_);
  if (count > setup.size) return std::nullopt;
  return count;
}

bool Virtqueue::has_request(Features features) {
  if (!setup.enabled || broken_) return false;
  const std::optional<u16> count = waiting();
  broken_ = !count;
  if (count == 0 && features.event_index) ask_for_notification();
  return count && count != 0;
}

std::optional<VirtioChain> Virtqueue::pop(Features features) {
  if (!has_request(features)) return std::nullopt;
  const u64 entry_phys =
      setup.driver_ring_phys + kRingEntries + kAvailableEntryBytes * (next_available_ % setup.size);
  const std::optional<u16> head = read16(entry_phys);
  VirtioChain chain;
  if (!head || *head >= setup.size) {
    broken_ = true;
    return std::nullopt;
  }
  chain.head = *head;
  if (!collect(chain, features)) {
    broken_ = true;
    return std::nullopt;
  }
  ++next_available_;
  return chain;
}

// 2.7.10: avail_event lies behind the used ring.
void Virtqueue::ask_for_notification() {
  write16(setup.device_ring_phys + kRingEntries + kUsedEntryBytes * setup.size, next_available_);
}

bool Virtqueue::add(VirtioChain& chain, const Descriptor& descriptor) const {
  if (descriptor.phys > ~u64{0} - descriptor.bytes) return false;
  const bool writable = descriptor.flags & kWrite;
  if (!writable && !chain.writable.empty()) return false;  // 2.7.4.2: what the device reads comes first
  if (descriptor.bytes == 0) return true;
  (writable ? chain.writable : chain.readable).push_back({descriptor.phys, descriptor.bytes});
  return true;
}

// 2.7.5.3: an indirect descriptor ends the chain in the queue's own table; its table holds no other.
bool Virtqueue::collect(VirtioChain& chain, Features features) {
  u64 table_phys = setup.descriptors_phys;
  u32 table_size = setup.size;
  u32 index = chain.head;
  bool inside_indirect = false;
  for (unsigned steps = 0; steps <= kMaxSegments; ++steps) {
    const std::optional<Descriptor> descriptor = read_descriptor(table_phys, index);
    if (!descriptor) return false;
    if (descriptor->flags & kIndirect) {
      if (!features.indirect || inside_indirect || (descriptor->flags & kNext)) return false;
      if (descriptor->bytes == 0 || descriptor->bytes % kDescriptorBytes != 0 ||
          descriptor->bytes / kDescriptorBytes > kMaxSegments ||
          descriptor->phys > ~u64{0} - descriptor->bytes)
        return false;
      table_phys = descriptor->phys;
      table_size = descriptor->bytes / kDescriptorBytes;
      index = 0;
      inside_indirect = true;
      continue;
    }
    if (!add(chain, *descriptor)) return false;
    if (!(descriptor->flags & kNext)) return true;
    index = descriptor->next;
    if (index >= table_size) return false;
  }
  return false;  // longer than a chain can be: it loops
}

bool Virtqueue::push(const VirtioChain& chain, u32 written_bytes, Features features) {
  if (!setup.enabled || broken_) return false;
  const u64 entry_phys = setup.device_ring_phys + kRingEntries + kUsedEntryBytes * (next_used_ % setup.size);
  std::array<u8, kUsedEntryBytes> entry{};
  for (unsigned i = 0; i < 2; ++i) entry[i] = static_cast<u8>(chain.head >> (8 * i));
  for (unsigned i = 0; i < 4; ++i) entry[4 + i] = static_cast<u8>(written_bytes >> (8 * i));
  if (!dma_.dma_write(entry_phys, entry)) {
    broken_ = true;
    return false;
  }
  ++next_used_;
  write16(setup.device_ring_phys + kRingIdx, next_used_);

  if (!features.event_index) {
    const u16 flags = read16(setup.driver_ring_phys).value_or(0);
    return !(flags & kAvailableNoInterrupt);
  }
  const std::optional<u16> used_event =
      read16(setup.driver_ring_phys + kRingEntries + kAvailableEntryBytes * setup.size);
  const bool wanted = !announced_valid_ || !used_event || passes(*used_event, next_used_, announced_used_);
  announced_valid_ = true;
  announced_used_ = next_used_;
  return wanted;
}

void Virtqueue::serialize(Archive& archive) {
  archive.tag("virtqueue");
  archive.value(setup.size);
  archive.value(setup.enabled);
  archive.value(setup.msix_vector);
  archive.value(setup.descriptors_phys);
  archive.value(setup.driver_ring_phys);
  archive.value(setup.device_ring_phys);
  archive.value(broken_);
  archive.value(next_available_);
  archive.value(next_used_);
  archive.value(announced_used_);
  archive.value(announced_valid_);
  if (std::popcount(setup.size) != 1 || setup.size > max_size_) {
    reset();
    archive.fail();
  }
}

std::string Virtqueue::debug_dump() const {
  return fmt::format("size={} enabled={} broken={} desc={:x} driver={:x} device={:x} available={} used={}\n",
                     setup.size, setup.enabled, broken_, setup.descriptors_phys, setup.driver_ring_phys,
                     setup.device_ring_phys, next_available_, next_used_);
}

VirtioSegment VirtioCursor::take(u64 bytes) {
  while (segment_ < segments_.size() && offset_ == segments_[segment_].bytes) {
    ++segment_;
    offset_ = 0;
  }
  if (segment_ == segments_.size()) return {};
  const VirtioSegment& segment = segments_[segment_];
  const u32 count = static_cast<u32>(std::min<u64>(bytes, segment.bytes - offset_));
  const u64 phys = segment.phys + offset_;
  offset_ += count;
  return {phys, count};
}

bool VirtioCursor::read(std::span<u8> into) {
  bool all = true;
  while (!into.empty()) {
    const VirtioSegment piece = take(into.size());
    if (piece.bytes == 0) return false;
    all &= dma_.dma_read(piece.phys, into.first(piece.bytes));
    into = into.subspan(piece.bytes);
  }
  return all;
}

bool VirtioCursor::write(std::span<const u8> from) {
  bool all = true;
  while (!from.empty()) {
    const VirtioSegment piece = take(from.size());
    if (piece.bytes == 0) return false;
    all &= dma_.dma_write(piece.phys, from.first(piece.bytes));
    from = from.subspan(piece.bytes);
  }
  return all;
}

void VirtioCursor::skip(u64 bytes) {
  while (bytes != 0) {
    const VirtioSegment piece = take(bytes);
    if (piece.bytes == 0) return;
    bytes -= piece.bytes;
  }
}

u64 VirtioCursor::left() const {
  u64 bytes = 0;
  for (std::size_t i = segment_; i < segments_.size(); ++i) bytes += segments_[i].bytes;
  return bytes - offset_;
}

}  // namespace reprise::devices
