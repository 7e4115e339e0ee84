#include "devices/ide/bus_master.h"

#include "common/bits.h"

namespace reprise::devices::ide {
namespace {

constexpr u8 kStatusWritable = 0x60;  // drive 0 and 1 can do DMA: for the BIOS to say
constexpr u64 kRegionMax = 0x10000;
constexpr u64 kTableMax = 0x10000;
constexpr u32 kLastRegion = 0x8000'0000;

}  // namespace

u8 BusMaster::read(u16 offset) const {
  switch (offset) {
    case kCommand: return command_;
    case kStatus: return status_;
    default:
      return offset >= kTable && offset < kPorts ? static_cast<u8>(table_phys_ >> 8 * (offset - kTable)) : 0;
  }
}

bool BusMaster::write(u16 offset, u8 value) {
  if (offset == kCommand) {
    const bool starts = (value & ~command_ & kCommandStart) != 0;
    command_ = value & (kCommandStart | kCommandToMemory);
    if (!(value & kCommandStart)) status_ &= static_cast<u8>(~kStatusActive);
    if (starts) status_ |= kStatusActive;
    return starts;
  }
  if (offset == kStatus) {
    const u8 cleared = value & (kStatusError | kStatusInterrupt);
    status_ = static_cast<u8>((status_ & ~kStatusWritable & ~cleared) | (value & kStatusWritable));
  } else if (offset >= kTable && offset < kPorts) {
    const unsigned shift = 8 * (offset - kTable);
    table_phys_ = (table_phys_ & ~(0xffu << shift)) | u32{value} << shift;
    table_phys_ &= ~3u;
  }
  return false;
}

bool BusMaster::collect(DmaPort& dma, u64 bytes, ata::ScatterList& list) const {
  list.clear();
  const u64 table_end = align_down(table_phys_, kTableMax) + kTableMax;
  for (u64 at = table_phys_; at + 8 <= table_end && list.bytes() < bytes; at += 8) {
    u8 entry[8];
    if (!dma.dma_read(at, entry)) return false;
    const u32 phys = read_unaligned<u32>(entry) & ~1u;
    const u32 flags = read_unaligned<u32>(entry + 4);
    const u64 count = flags & 0xfffe;
    list.add(phys, count == 0 ? kRegionMax : count);
    if (flags & kLastRegion) break;
  }
  return true;
}

void BusMaster::fail() {
  status_ |= kStatusError;
  status_ &= static_cast<u8>(~kStatusActive);
}

void BusMaster::serialize(Archive& archive) {
  archive.value(command_);
  archive.value(status_);
  archive.value(table_phys_);
}

}  // namespace reprise::devices::ide
