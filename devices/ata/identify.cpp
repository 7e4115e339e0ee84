#include "devices/ata/identify.h"

#include <algorithm>

namespace reprise::devices::ata {
namespace {

constexpr std::string_view kFirmware = "1.0";
constexpr u64 kMaxSectors28 = 0x0fff'ffff;

/// Two characters a word, the first in the high byte, padded with spaces. 3.3.9.
void put_text(IdentifyWords& words, unsigned first, unsigned count, std::string_view text) {
  const auto at = [&](std::size_t i) -> u8 {
    const u8 c = i < text.size() ? static_cast<u8>(text[i]) : u8{' '};
    return c >= 0x20 && c < 0x7f ? c : u8{' '};
  };
  for (unsigned i = 0; i < count; ++i) words[first + i] = static_cast<u16>(at(2 * i) << 8 | at(2 * i + 1));
}

void put32(IdentifyWords& words, unsigned first, u64 value) {
  words[first] = static_cast<u16>(value);
  words[first + 1] = static_cast<u16>(value >> 16);
}

/// Which of the modes 0 to `last` of a class (bits 7:3 of the transfer mode) are there, and which is set.
u16 modes(u8 transfer_mode, u8 mode_class, unsigned last) {
  u16 word = static_cast<u16>((2u << last) - 1);
  if (transfer_mode >> 3 == mode_class) word |= static_cast<u16>(0x100u << (transfer_mode & 7));
  return word;
}

void put_transfer_modes(IdentifyWords& words, u8 transfer_mode) {
  words[53] = 7;  // words 54 to 58, 64 to 70 and 88 are valid
  words[63] = modes(transfer_mode, 4, 2);
  words[64] = 3;                                       // PIO modes 3 and 4
  for (unsigned i = 65; i <= 68; ++i) words[i] = 120;  // ns: cycle times
  words[88] = modes(transfer_mode, 8, 5);
}

void put_cable(IdentifyWords& words, Cable cable, unsigned queue_depth) {
  if (cable == Cable::Parallel) {
    words[93] = 0x6001;  // 80 conductors, device 0 by jumper
    return;
  }
  if (queue_depth != 0) words[75] = static_cast<u16>(queue_depth - 1);
  words[76] = static_cast<u16>(0x000e | (queue_depth != 0 ? 0x0100 : 0));  // 1.5 to 6 Gb/s; NCQ
  words[222] = 0x1020;                                                     // serial, SATA 2.6
}

/// 7.16.7.88.
void put_checksum(IdentifyWords& words) {
  words[255] = 0xa5;
  u8 sum = 0;
  for (const u16 word : words) sum = static_cast<u8>(sum + word + (word >> 8));
  words[255] |= static_cast<u16>(static_cast<u8>(0 - sum) << 8);
}

}  // namespace

bool is_transfer_mode(u8 mode) {
  return mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c) || (mode >= 0x20 && mode <= 0x22) ||
         (mode >= 0x40 && mode <= 0x45);
}

IdentifyWords identify_disk(const IdentifyDisk& disk) {
  IdentifyWords words{};
  words[0] = 0x0040;  // fixed
  words[1] = disk.native.cylinders;
  words[2] = 0xc837;  // complete; starts without SET FEATURES
  words[3] = disk.native.heads;
  words[6] = disk.native.sectors;
  put_text(words, 10, 10, disk.serial);
  put_text(words, 23, 4, kFirmware);
  put_text(words, 27, 20, "REPRISE HARDDISK");
  words[47] = 0x8000 | disk.max_multiple;
  words[48] = 0x4000;
  words[49] = 0x2f00;  // standby timer, IORDY, LBA, DMA
  words[50] = 0x4000;
  put_transfer_modes(words, disk.transfer_mode);
  words[54] = disk.current.cylinders;
  words[55] = disk.current.heads;
  words[56] = disk.current.sectors;
  put32(words, 57, u32{disk.current.cylinders} * disk.current.heads * disk.current.sectors);
  words[59] = disk.multiple ? 0x0100 | disk.multiple : 0;
  put32(words, 60, std::min(disk.sectors, kMaxSectors28));
  words[69] = 0x4020;  // trimmed sectors read as zeros, always
  put_cable(words, disk.cable, disk.queue_depth);
  words[80] = 0x01f0;  // ATA/ATAPI-4 to ATA8-ACS
  // Supported, and enabled: write cache, look-ahead, power management; 48-bit, flush; FUA, name, logs.
  constexpr u16 kWriteCache = 1u << 5, kLookAhead = 1u << 6;
  words[82] = kWriteCache | kLookAhead | 1u << 3 | 1u << 14;
  words[83] = 1u << 14 | 1u << 13 | 1u << 12 | 1u << 10;
  words[84] = 1u << 14 | 1u << 8 | 1u << 6 | (disk.cable == Cable::Serial ? 1u << 5 : 0);
  words[85] = static_cast<u16>(words[82] &
                               ~((disk.write_cache ? 0 : kWriteCache) | (disk.look_ahead ? 0 : kLookAhead)));
  words[86] = words[83] & 0x3fff;
  words[87] = words[84];
  put32(words, 100, disk.sectors);
  words[102] = static_cast<u16>(disk.sectors >> 32);
  words[105] = static_cast<u16>(disk.max_trim_blocks);
  words[106] = 0x4000;  // 512-byte sectors
  for (unsigned i = 0; i < 4; ++i) words[108 + i] = static_cast<u16>(disk.world_wide_name >> (48 - 16 * i));
  words[119] = words[120] = 0x4000;
  words[169] = disk.max_trim_blocks ? 1 : 0;
  words[217] = 1;  // does not rotate
  put_checksum(words);
  return words;
}

IdentifyWords identify_cdrom(const IdentifyCdrom& cdrom) {
  IdentifyWords words{};
  words[0] = 0x85c0;  // packet device, CD-ROM, removable, DRQ within 50 us, 12-byte packets
  put_text(words, 10, 10, cdrom.serial);
  put_text(words, 23, 4, kFirmware);
  put_text(words, 27, 20, "REPRISE CD-ROM");
  words[48] = 1;
  words[49] = 0x0f00;
  put_transfer_modes(words, cdrom.transfer_mode);
  put_cable(words, cdrom.cable, 0);
  words[71] = words[72] = 30;  // us
  words[80] = 0x01f0;
  words[82] = 1u << 14 | 1u << 9 | 1u << 4 | 1u << 3;  // NOP, DEVICE RESET, PACKET, power management
  words[83] = 0x4000;
  words[84] = 0x4000;
  words[85] = words[82];
  words[87] = 0x4000;
  put_checksum(words);
  return words;
}

}  // namespace reprise::devices::ata
