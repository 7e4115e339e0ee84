#include "devices/display/vga_registers.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/bits.h"

namespace reprise::devices {

void VgaRegisters::serialize(Archive& archive, u64 memory_bytes) {
  archive.value(misc_output);
  archive.value(feature_control);
  archive.value(subsystem_enable);
  archive.value(sequencer_index);
  archive.value(sequencer);
  archive.value(graphics_index);
  archive.value(graphics);
  archive.value(crtc_index);
  archive.value(crtc);
  archive.value(attribute_index);
  archive.value(attribute);
  archive.value(attribute_data_next);
  archive.value(dac_mask);
  archive.value(dac_index);
  archive.value(dac_component);
  archive.value(dac_reading);
  archive.value(dac);
  dispi.serialize(archive, memory_bytes);
  dac_component %= 3;
}

VgaDataPath VgaRegisters::data_path() const {
  return {
      .map_mask = sequencer[2],
      .memory_mode = sequencer[4],
      .set_reset = graphics[0],
      .enable_set_reset = graphics[1],
      .color_compare = graphics[2],
      .data_rotate = graphics[3],
      .read_map = graphics[4],
      .mode = graphics[5],
      .miscellaneous = graphics[6],
      .color_dont_care = graphics[7],
      .bit_mask = graphics[8],
  };
}

VgaBankedPath VgaRegisters::banked_path() const {
  using Kind = VgaBankedPath::Kind;
  if (!dispi.enabled()) return {};
  return {dispi.planar() ? Kind::Planar : Kind::Packed, dispi.bank};
}

// CR7 holds bits 8 and 9 of the vertical counts.
u32 VgaRegisters::displayed_lines() const {
  const u32 overflow = crtc[0x07];
  return (crtc[0x12] | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) + 1;
}

u32 VgaRegisters::line_compare() const {
  return crtc[0x18] | (crtc[0x07] & 0x10u) << 4 | (crtc[0x09] & 0x40u) << 3;
}

u32 VgaRegisters::frame_lines() const {
  const u32 overflow = crtc[0x07];
  return (crtc[0x06] | (overflow & 0x01) << 8 | (overflow & 0x20) << 4) + 2u;
}

// "CRT Controller Registers", CR14 and CR17.
u32 VgaRegisters::plane_address(u32 count, u32 row_scan) const {
  constexpr u32 kMask = VgaMemory::kPlaneBytes - 1;
  const u32 mode = crtc[0x17];
  u32 address = count & kMask;
  if (crtc[0x14] & 0x40) {
    address = (address << 2 & kMask) | address >> 14;
  } else if (!(mode & 0x40)) {
    const u32 top = mode & 0x20 ? 15 : 13;
    address = (address << 1 & kMask) | (address >> top & 1);
  }
  // Bits of the row scan counter take the place of address bits 13 and 14.
  if (!(mode & 0x01)) address = (address & ~0x2000u) | (row_scan & 1) << 13;
  if (!(mode & 0x02)) address = (address & ~0x4000u) | (row_scan >> 1 & 1) << 14;
  return address;
}

std::string VgaRegisters::mode_name() const {
  if (dispi.enabled()) return fmt::format("{}x{} graphics, {} bits", dispi.xres, dispi.yres, dispi.bpp);
  if (!graphics_mode()) {
    const u32 lines = displayed_lines() / (double_scanned() ? 2 : 1);
    return fmt::format("{}x{} text", columns(), std::max(1u, lines / row_lines()));
  }
  const bool colors_256 = (graphics[5] & 0x40) != 0;
  const unsigned planes = static_cast<unsigned>(std::popcount(attribute[0x12] & 0x0fu));
  const u32 width = columns() * (colors_256 ? 4 : 8);
  const u32 height = std::max(1u, displayed_lines() / (double_scanned() ? 2 : 1) / row_lines());
  // CR17 bits 1:0 clear: row scan bits take the place of address bits, so each row has as many lines of its
  // own.
  const u32 own_lines = crtc[0x17] & 1 ? 1 : 2;
  return fmt::format("{}x{} graphics, {} colors", width, height * (row_lines() >= own_lines ? own_lines : 1),
                     colors_256 ? 256 : 1 << planes);
}

VgaBeam vga_beam(const VgaRegisters& registers, u64 now_ns) {
  VgaBeam beam;
  if (registers.dispi.enabled()) {
    // 60 frames a second, of which the last twentieth is the retrace.
    constexpr u64 kFrameNs = 1'000'000'000 / 60;
    beam.frame = now_ns / kFrameNs;
    beam.display = now_ns % kFrameNs < kFrameNs / 20 * 19;
    beam.vertical_retrace = !beam.display;
    return beam;
  }
  constexpr u64 kDotClocksHz[] = {25'175'000, 28'322'000};
  const auto& crtc = registers.crtc;
  const u64 dot_hz = kDotClocksHz[registers.misc_output >> 2 & 1] / (registers.half_dot_clock() ? 2 : 1);
  const u32 overflow = crtc[0x07];
  const u64 line_characters = crtc[0x00] + 5u;
  const u64 frame_lines = registers.frame_lines();

  const u64 characters =
      static_cast<u64>(u128{now_ns} * dot_hz / 1'000'000'000) / registers.dots_per_character();
  const u64 column = characters % line_characters;
  const u64 line = characters / line_characters % frame_lines;

  const u64 retrace_begin = crtc[0x10] | (overflow & 0x04) << 6 | (overflow & 0x80) << 2;
  // CR11 bits 3:0 are those of the first line after the retrace.
  const u64 retrace_lines = (crtc[0x11] - retrace_begin) & 0xf;
  beam.frame = characters / line_characters / frame_lines;
  beam.display = column < registers.columns() && line < registers.displayed_lines();
  beam.vertical_retrace =
      line >= retrace_begin && line - retrace_begin < (retrace_lines ? retrace_lines : 16);
  return beam;
}

void set_bios_mode_3(VgaRegisters& registers) {
  registers = {};
  registers.misc_output = 0x67;
  registers.subsystem_enable = 0x01;
  registers.sequencer = {0x03, 0x00, 0x03, 0x00, 0x02};
  registers.graphics = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff};
  registers.crtc = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
                    0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
  registers.attribute = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
                         0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00};
  registers.attribute_index = 0x20;
  registers.dac_mask = 0xff;
  // Color rgbRGB: bits 5:3 add one third, bits 2:0 two thirds of the intensity.
  for (u8 color = 0; color < 64; ++color) {
    for (unsigned component = 0; component < 3; ++component) {
      const unsigned primary = 2 - component;
      registers.dac[3u * color + component] =
          static_cast<u8>((bit(color, primary) ? 0x2a : 0) + (bit(color, primary + 3) ? 0x15 : 0));
    }
  }
}

}  // namespace reprise::devices
