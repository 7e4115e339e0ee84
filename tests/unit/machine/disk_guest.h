// Code of a guest that reads and writes an IDE disk by programmed input and output.
#pragma once

#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {

inline constexpr u16 kCommand = 0x1f7;
inline constexpr u32 kBuffer = 0x200000;

/// Waits until the drive is not busy; its status is in al.
inline const Code kWait = {0x66, 0xba, 0xf7, 0x01, 0xec, 0xa8, 0x80, 0x75, 0xf7};
inline const Code kPrintAl = {0x66, 0xba, 0xf8, 0x03, 0xee};

inline Code ata(u8 sector, u8 command) {
  return out8(0x1f6, 0xe0) + out8(0x1f2, 1) + out8(0x1f3, sector) + out8(0x1f4, 0) + out8(0x1f5, 0) +
         out8(kCommand, command) + kWait;
}
/// mov esi or edi, kBuffer; mov ecx, 256; mov dx, 1f0h; rep outsw or insw
inline Code words(u8 move, u8 string) {
  return {move, 0x00, 0x00, 0x20, 0x00, 0xb9, 0x00, 0x01,  0x00,
          0x00, 0x66, 0xba, 0xf0, 0x01, 0xf3, 0x66, string};
}
/// Writes the buffer, and prints the status.
inline Code write_sector(u8 sector) { return ata(sector, 0x30) + words(0xbe, 0x6f) + kWait + kPrintAl; }
/// Reads into the buffer, and prints its first byte.
inline Code read_sector(u8 sector) {
  return ata(sector, 0x20) + words(0xbf, 0x6d) + Code{0xa0, 0x00, 0x00, 0x20, 0x00} + kPrintAl;
}

}  // namespace reprise::machine
