#include "machine/storage/qcow2_header.h"

#include <fmt/format.h>

#include <optional>

namespace reprise::machine {
namespace {

template <class T>
T big_endian(std::span<const u8> bytes, u64 offset) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | bytes[offset + i]);
  return value;
}

constexpr u64 kVersion2Bytes = 72;
constexpr u64 kVersion3Bytes = 104;
constexpr u32 kMinClusterBits = 9;
constexpr u32 kMaxClusterBits = 21;
constexpr u64 kMaxBackingNameBytes = 1023;
constexpr u64 kIncompatibleDirty = 1;
constexpr u64 kIncompatibleCorrupt = 2;
constexpr u64 kIncompatibleKnown = 0x1f;

}  // namespace

Result<Qcow2Header> parse_qcow2_header(std::span<const u8> head, u64 file_bytes) {
  if (head.size() < kVersion2Bytes) return Error{"its header is cut off"};
  Qcow2Header out;
  out.version = big_endian<u32>(head, 4);
  if (out.version != 2 && out.version != 3)
    return Error{fmt::format("it says that it is version {}", out.version)};
  const u64 backing_offset = big_endian<u64>(head, 8);
  const u32 backing_bytes = big_endian<u32>(head, 16);
  const u32 cluster_bits = big_endian<u32>(head, 20);
  out.virtual_bytes = big_endian<u64>(head, 24);
  out.encrypted = big_endian<u32>(head, 32) != 0;
  const u64 l1_entries = big_endian<u32>(head, 36);
  const u64 l1_offset = big_endian<u64>(head, 40);
  const u64 refcount_offset = big_endian<u64>(head, 48);
  const u64 refcount_clusters = big_endian<u32>(head, 56);
  if (cluster_bits < kMinClusterBits || cluster_bits > kMaxClusterBits)
    return Error{fmt::format("its cluster size of 2^{} bytes is impossible", cluster_bits)};
  out.cluster_bytes = u64{1} << cluster_bits;
  const u64 cluster_mask = out.cluster_bytes - 1;

  u64 l2_entry_bytes = 8;
  u64 header_bytes = kVersion2Bytes;
  if (out.version == 3) {
    if (head.size() < kVersion3Bytes) return Error{"its header is cut off"};
    const u64 incompatible = big_endian<u64>(head, 72);
    header_bytes = big_endian<u32>(head, 100);
    if ((incompatible & ~kIncompatibleKnown) != 0)
      return Error{
          fmt::format("it needs features that are unknown ({:#x})", incompatible & ~kIncompatibleKnown)};
    if (header_bytes < kVersion3Bytes || header_bytes % 8 != 0 || header_bytes > out.cluster_bytes)
      return Error{fmt::format("its header length of {} bytes is impossible", header_bytes)};
    if (big_endian<u32>(head, 96) > 6) return Error{"its reference counts are wider than 64 bits"};
    out.dirty = (incompatible & kIncompatibleDirty) != 0;
    out.corrupt = (incompatible & kIncompatibleCorrupt) != 0;
    if ((incompatible & 0x10) != 0) l2_entry_bytes = 16;
  }

  if (out.virtual_bytes > (u64{1} << 62)) return Error{"its disk size is impossible"};
  if (((l1_offset | refcount_offset) & cluster_mask) != 0) return Error{"its tables do not lie on clusters"};
  const u64 bytes_per_l1_entry = out.cluster_bytes * (out.cluster_bytes / l2_entry_bytes);
  const u64 l1_needed =
      out.virtual_bytes / bytes_per_l1_entry + (out.virtual_bytes % bytes_per_l1_entry != 0 ? 1 : 0);
  if (l1_entries < l1_needed) return Error{"its L1 table is too small for its disk size"};
  // The file may end inside the last cluster of a table, but not before its last entry.
  const auto inside = [&](u64 offset, u64 bytes) {
    return offset <= file_bytes && bytes <= file_bytes - offset;
  };
  if (l1_entries != 0 && !inside(l1_offset, l1_entries * 8))
    return Error{"its L1 table lies outside the file"};
  if (refcount_clusters == 0 || refcount_offset == 0 || !inside(refcount_offset, 8))
    return Error{"its refcount table lies outside the file"};

  if (backing_offset != 0) {
    if (backing_bytes == 0 || backing_bytes > kMaxBackingNameBytes || backing_offset < header_bytes ||
        backing_offset > head.size() || backing_bytes > head.size() - backing_offset) {
      return Error{"the name of its backing file lies outside its header"};
    }
    out.backing_file.assign(reinterpret_cast<const char*>(head.data()) + backing_offset, backing_bytes);
    if (out.backing_file.find('\0') != std::string::npos)
      return Error{"the name of its backing file is no name"};
  }
  return out;
}

}  // namespace reprise::machine
