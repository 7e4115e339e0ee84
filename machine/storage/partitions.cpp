// MBR: types as in sfdisk(8). GPT: UEFI 2.10, 5.3.
#include "machine/storage/partitions.h"

#include <algorithm>
#include <array>

namespace reprise::machine {
namespace {

constexpr u64 kSector = devices::BlockBackend::kSectorBytes;
constexpr u64 kTableOffset = 446;
constexpr u64 kEntryBytes = 16;
constexpr u8 kGptProtective = 0xee;
// Linux swap, Linux, extended Linux, LVM, FreeBSD, OpenBSD, NetBSD, RAID.
constexpr std::array<u8, 8> kUnixTypes = {0x82, 0x83, 0x85, 0x8e, 0xa5, 0xa6, 0xa9, 0xfd};
// EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 as it lies on the disk.
constexpr std::array<u8, 16> kWindowsData = {0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44,
                                             0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7};
constexpr u64 kGptEntriesOffset = 2 * kSector;
constexpr u64 kGptEntryBytes = 128;
constexpr u64 kGptEntries = 128;

DiskOwner owner_of_gpt(devices::BlockBackend& disk) {
  std::array<u8, kGptEntries * kGptEntryBytes> entries{};
  if (disk.read(kGptEntriesOffset, entries) != devices::BlockStatus::Ok) return DiskOwner::Other;
  for (u64 i = 0; i < kGptEntries; ++i) {
    if (std::ranges::equal(std::span(entries).subspan(i * kGptEntryBytes, kWindowsData.size()), kWindowsData))
      return DiskOwner::Other;
  }
  return DiskOwner::Unix;
}

}  // namespace

DiskOwner owner_of(devices::BlockBackend& disk) {
  std::array<u8, kSector> first{};
  if (disk.read(0, first) != devices::BlockStatus::Ok) return DiskOwner::Other;
  if (std::ranges::all_of(first, [](u8 byte) { return byte == 0; })) return DiskOwner::Blank;
  if (first[510] != 0x55 || first[511] != 0xaa) return DiskOwner::Other;
  for (u64 i = 0; i < 4; ++i) {
    const u8 type = first[kTableOffset + i * kEntryBytes + 4];
    if (type == kGptProtective) return owner_of_gpt(disk);
    if (std::ranges::find(kUnixTypes, type) != kUnixTypes.end()) return DiskOwner::Unix;
  }
  return DiskOwner::Other;
}

}  // namespace reprise::machine
