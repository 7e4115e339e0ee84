// DispiRegisters: the Bochs VBE extension ("DISPI"), by which a VGA shows packed pixels: Bochs VBE documentation
// (vbe_display_api.txt) and QEMU's "QEMU Standard VGA". A register file, and the picture that follows from it.
//
// Whatever is written, the picture lies within the card's memory: sizes and offsets that do not fit are made to fit,
// and read back so.
#pragma once

#include "common/archive.h"
#include "common/types.h"

namespace reprise::devices {

struct DispiRegisters {
  enum Index : u8 {
    kId,
    kXres,
    kYres,
    kBpp,
    kEnable,
    kBank,
    kVirtualWidth,
    kVirtualHeight,
    kXOffset,
    kYOffset,
    kMemory64K,
    kCount
  };
  // Of kEnable.
  static constexpr u16 kEnabled = 0x01;
  static constexpr u16 kGetCapabilities = 0x02;
  static constexpr u16 k8BitDac = 0x20;
  static constexpr u16 kKeepMemory = 0x80;

  static constexpr u16 kFirstId = 0xb0c0;
  static constexpr u16 kLastId = 0xb0c5;
  static constexpr u16 kMaxXres = 16000;
  static constexpr u16 kMaxYres = 12000;
  static constexpr u16 kMaxBpp = 32;
  static constexpr u64 kBankBytes = 0x10000;

  u16 index = 0;
  u16 id = kLastId;
  u16 xres = 0;
  u16 yres = 0;
  u16 bpp = 0;
  u16 enable = 0;
  u16 bank = 0;
  u16 virtual_width = 0;
  u16 virtual_height = 0;
  u16 x_offset = 0;
  u16 y_offset = 0;

  bool operator==(const DispiRegisters&) const = default;
  void serialize(Archive& archive, u64 memory_bytes);

  /// The register that `index` selects.
  u16 read(u64 memory_bytes) const;
  /// True: the picture was switched on, and its memory is to be cleared.
  bool write(u16 value, u64 memory_bytes);

  // --- While it is enabled ---
  bool enabled() const { return (enable & kEnabled) != 0; }
  bool eight_bit_dac() const { return (enable & k8BitDac) != 0; }
  /// 4 bits for each pixel lie in four planes, as in VGA modes.
  bool planar() const { return bpp == 4; }
  u32 bytes_per_line() const { return virtual_width * bits_stored() / 8; }
  /// Of the first pixel's byte; of planar pictures, that of the four planes' first byte.
  u32 first_byte() const { return y_offset * bytes_per_line() + x_offset * bits_stored() / 8; }
  u64 picture_bytes() const { return u64{yres} * bytes_per_line(); }

 private:
  u32 bits_stored() const { return bpp == 15 ? 16u : bpp; }
  void make_fit(u64 memory_bytes);
};

}  // namespace reprise::devices
