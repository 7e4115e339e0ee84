// VGA display memory: four planes of 64 KiB and the data path between them and the processor.
// IBM PS/2 Hardware Interface Technical Reference, Video Subsystem (1992): "Video Memory Organization",
// "Graphics Controller Registers", "Sequencer Registers".
//
//     read:   planes -> latches -> read mode 0: one plane | read mode 1: color compare
//     write:  byte -> rotate -> set/reset -> ALU with latches -> bit mask -> map mask -> planes
//
// The planes are the first 256 KiB of the card's memory, interleaved: plane p of address a at 4a + p. While DISPI shows
// packed pixels, the window shows 64 KiB of the memory as it is; its planar pictures may be larger than 64 KiB a plane.
//
// Undefined: address bit 0 of odd/even addressing becomes 0 (A16 in the 128 KiB window), whatever the page
// bit of the miscellaneous output register says; memory is 256 KiB whatever "extended memory" says.
#pragma once

#include <array>

#include "common/archive.h"
#include "common/types.h"
#include "devices/display/video_ram.h"

namespace reprise::devices {

/// The registers that steer the data path.
struct VgaDataPath {
  u8 map_mask = 0;          // SR2: planes that take writes
  u8 memory_mode = 0;       // SR4
  u8 set_reset = 0;         // GR0
  u8 enable_set_reset = 0;  // GR1
  u8 color_compare = 0;     // GR2
  u8 data_rotate = 0;       // GR3: rotate count and function
  u8 read_map = 0;          // GR4
  u8 mode = 0;              // GR5
  u8 miscellaneous = 0;     // GR6
  u8 color_dont_care = 0;   // GR7
  u8 bit_mask = 0;          // GR8
};

/// What DISPI makes of the window while it is enabled.
struct VgaBankedPath {
  enum class Kind : u8 { None, Planar, Packed };
  Kind kind = Kind::None;
  u32 bank = 0;  // of 64 KiB: of packed pixels, or of each plane
};

class VgaMemory {
 public:
  static constexpr u32 kPlanes = 4;
  static constexpr u32 kPlaneBytes = 0x10000;
  /// Of the address range A0000h-BFFFFh.
  static constexpr u32 kRangeBytes = 0x20000;

  /// `ram` outlives this and has kPlanes * kPlaneBytes at least.
  explicit VgaMemory(VideoRam& ram) : ram_(ram) {}

  /// Takes over new register values. `enabled`: the processor may reach the memory at all.
  void configure(const VgaDataPath& path, const VgaBankedPath& banked, bool enabled);

  /// One byte; `range_offset` is relative to A0000h. Outside the window the memory does not answer: all ones.
  u8 read(u32 range_offset);
  void write(u32 range_offset, u8 value);

  /// What the CRT controller sees: a byte of one plane, `address` modulo its size.
  u8 plane_byte(u32 plane, u32 address) const {
    return ram_.bytes()[(address % kPlaneBytes) * kPlanes + plane];
  }
  void set_plane_byte(u32 plane, u32 address, u8 value) {
    ram_.write((address % kPlaneBytes) * kPlanes + plane, {&value, 1});
  }
  /// Sets the first `bytes` bytes to zero.
  void clear(u64 bytes);
  void reset_latches() { latches_ = 0; }
  std::span<const u8> bytes() const { return ram_.bytes(); }

  void serialize(Archive& archive);

 private:
  /// Byte `plane` of the result is that plane's byte.
  u32 planes_at(u32 address) const;
  /// Whether the window answers at `range_offset`; if so, `window_offset` is relative to its start.
  bool decode(u32 range_offset, u32& window_offset) const;
  u32 address_of(u32 window_offset) const;
  u32 written_planes(u32 window_offset) const;
  void write_planes(u32 address, u32 planes, u32 data);
  /// What the data path makes of a byte.
  u32 combine(u8 value) const;

  VideoRam& ram_;
  u32 latches_ = 0;

  VgaDataPath path_;
  VgaBankedPath banked_;
  u32 window_begin_ = 0;  // in the range
  u32 window_bytes_ = 0;  // 0: the memory does not answer
  bool plain_ = false;    // writes store the byte as it is
};

}  // namespace reprise::devices
