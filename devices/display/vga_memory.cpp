#include "devices/display/vga_memory.h"

#include <algorithm>

#include "common/bits.h"

namespace reprise::devices {
namespace {

// SR4
constexpr u8 kSequential = 1u << 2;  // 0: odd/even writes
constexpr u8 kChain4 = 1u << 3;
// GR5
constexpr u8 kWriteMode = 3;
constexpr u8 kReadCompare = 1u << 3;
constexpr u8 kReadOddEven = 1u << 4;
// GR6
constexpr u8 kChainOddEven = 1u << 1;
constexpr unsigned kMemoryMapShift = 2;

/// The byte on all four planes.
constexpr u32 replicate(u8 value) { return value * 0x01010101u; }

/// Bit p of `bits` as eight bits of plane p.
constexpr u32 expand(u8 bits) {
  u32 planes = 0;
  for (unsigned plane = 0; plane < VgaMemory::kPlanes; ++plane)
    if (bit(bits, plane)) planes |= 0xffu << (8 * plane);
  return planes;
}

constexpr u8 rotate_right(u8 value, unsigned count) {
  return static_cast<u8>(value >> count | value << ((8 - count) & 7));
}

/// GR3 bits 4:3.
constexpr u32 apply_function(unsigned function, u32 data, u32 latches) {
  switch (function) {
    case 1: return data & latches;
    case 2: return data | latches;
    case 3: return data ^ latches;
    default: return data;
  }
}

}  // namespace

void VgaMemory::configure(const VgaDataPath& path, const VgaBankedPath& banked, bool enabled) {
  struct Window {
    u32 begin, bytes;
  };
  static constexpr Window kWindows[] = {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
  path_ = path;
  banked_ = banked;
  Window window = kWindows[path.miscellaneous >> kMemoryMapShift & 3];
  if (banked.kind != VgaBankedPath::Kind::None) {
    window = kWindows[1];
    path_.memory_mode = kSequential;
    path_.miscellaneous &= static_cast<u8>(~kChainOddEven);
    path_.mode &= static_cast<u8>(~kReadOddEven);
  }
  window_begin_ = window.begin;
  window_bytes_ = enabled ? window.bytes : 0;
  plain_ = (path.mode & kWriteMode) == 0 && path.enable_set_reset == 0 && path.data_rotate == 0 &&
           path.bit_mask == 0xff;
}

bool VgaMemory::decode(u32 range_offset, u32& window_offset) const {
  window_offset = range_offset - window_begin_;
  return window_offset < window_bytes_;
}

u32 VgaMemory::address_of(u32 window_offset) const {
  if (banked_.kind == VgaBankedPath::Kind::Planar) {
    const u32 plane_bytes = static_cast<u32>(ram_.bytes().size() / kPlanes);
    return (banked_.bank * kPlaneBytes + window_offset) % plane_bytes;
  }
  u32 address = window_offset % kPlaneBytes;
  if (path_.memory_mode & kChain4) return address & ~3u;
  if (path_.miscellaneous & kChainOddEven) return (address & ~1u) | (window_offset >> 16 & 1);
  return address;
}

u32 VgaMemory::written_planes(u32 window_offset) const {
  u32 planes = path_.map_mask;
  if (path_.memory_mode & kChain4) return planes & 1u << (window_offset & 3);
  if (!(path_.memory_mode & kSequential)) planes &= window_offset & 1 ? 0b1010 : 0b0101;
  return planes & 0xf;
}

u32 VgaMemory::planes_at(u32 address) const {
  return read_unaligned<u32>(&ram_.bytes()[u64{address} * kPlanes]);
}

void VgaMemory::write_planes(u32 address, u32 planes, u32 data) {
  const u32 mask = expand(static_cast<u8>(planes));
  if (mask == 0) return;
  u8 bytes[kPlanes];
  write_unaligned<u32>(bytes, (planes_at(address) & ~mask) | (data & mask));
  ram_.write(u64{address} * kPlanes, bytes);
}

u8 VgaMemory::read(u32 range_offset) {
  u32 window_offset;
  if (!decode(range_offset, window_offset)) return 0xff;
  if (banked_.kind == VgaBankedPath::Kind::Packed)
    return ram_.bytes()[u64{banked_.bank} * kPlaneBytes + window_offset];
  latches_ = planes_at(address_of(window_offset));
  if (path_.mode & kReadCompare) {
    const u32 differences = (latches_ ^ expand(path_.color_compare)) & expand(path_.color_dont_care);
    return static_cast<u8>(~(differences | differences >> 8 | differences >> 16 | differences >> 24));
  }
  u32 plane = path_.read_map & 3;
  if (path_.memory_mode & kChain4)
    plane = window_offset & 3;
  else if (path_.mode & kReadOddEven)
    plane = (plane & 2) | (window_offset & 1);
  return static_cast<u8>(latches_ >> (8 * plane));
}

void VgaMemory::write(u32 range_offset, u8 value) {
  u32 window_offset;
  if (!decode(range_offset, window_offset)) return;
  if (banked_.kind == VgaBankedPath::Kind::Packed)
    return ram_.write(u64{banked_.bank} * kPlaneBytes + window_offset, {&value, 1});
  write_planes(address_of(window_offset), written_planes(window_offset),
               plain_ ? replicate(value) : combine(value));
}

u32 VgaMemory::combine(u8 value) const {
  const u8 rotated = rotate_right(value, path_.data_rotate & 7);
  u32 data = 0;
  u8 mask = path_.bit_mask;
  switch (path_.mode & kWriteMode) {
    case 0: {
      const u32 from_set_reset = expand(path_.enable_set_reset);
      data = (replicate(rotated) & ~from_set_reset) | (expand(path_.set_reset) & from_set_reset);
      break;
    }
    case 1: return latches_;
    case 2: data = expand(value & 0xf); break;
    case 3:
      data = expand(path_.set_reset);
      mask &= rotated;
      break;
  }
  const u32 bits = replicate(mask);
  return (apply_function(path_.data_rotate >> 3 & 3, data, latches_) & bits) | (latches_ & ~bits);
}

void VgaMemory::clear(u64 bytes) {
  static constexpr std::array<u8, kPageBytes> kZeros{};
  for (u64 at = 0; at < bytes; at += kPageBytes) {
    const std::span<const u8> zeros = std::span(kZeros).first(std::min(bytes - at, kPageBytes));
    // What is zero stays untouched: nothing has to be hashed or saved again.
    if (!std::ranges::equal(ram_.bytes().subspan(at, zeros.size()), zeros)) ram_.write(at, zeros);
  }
}

void VgaMemory::serialize(Archive& archive) { archive.value(latches_); }

}  // namespace reprise::devices
