// The register file of a VGA, as plain data, and what follows from it: mode, geometry and beam timing.
// IBM PS/2 Hardware Interface Technical Reference, Video Subsystem (1992).
#pragma once

#include <array>
#include <string>

#include "common/archive.h"
#include "common/types.h"
#include "devices/display/dispi.h"
#include "devices/display/vga_memory.h"

namespace reprise::devices {

struct VgaRegisters {
  u8 misc_output = 0;
  u8 feature_control = 0;
  u8 subsystem_enable = 0;

  u8 sequencer_index = 0;
  std::array<u8, 5> sequencer{};
  u8 graphics_index = 0;
  std::array<u8, 9> graphics{};
  u8 crtc_index = 0;
  std::array<u8, 25> crtc{};
  u8 attribute_index = 0;  // bit 5: palette address source, 1: the screen shows
  std::array<u8, 21> attribute{};
  bool attribute_data_next = false;  // the flip-flop of 3C0h

  u8 dac_mask = 0;
  u8 dac_index = 0;
  u8 dac_component = 0;  // 0 red, 1 green, 2 blue
  bool dac_reading = false;
  std::array<u8, 3 * 256> dac{};  // red, green, blue; 6 bits each, 8 if DISPI says so

  DispiRegisters dispi;

  bool operator==(const VgaRegisters&) const = default;
  /// `memory_bytes`: the card's.
  void serialize(Archive& archive, u64 memory_bytes);

  // --- What follows from them ---
  bool color_addresses() const { return (misc_output & 0x01) != 0; }  // CRTC at 3D4h, else 3B4h
  bool memory_enabled() const { return (misc_output & 0x02) != 0; }
  VgaDataPath data_path() const;
  VgaBankedPath banked_path() const;

  /// Characters do not come from a font.
  bool graphics_mode() const { return dispi.enabled() || (graphics[6] & 1) != 0; }
  /// Sequencer and attribute controller let a picture through.
  bool screen_on() const { return !(sequencer[1] & 0x20) && (attribute_index & 0x20); }
  u32 dots_per_character() const { return sequencer[1] & 1 ? 8 : 9; }
  /// Each dot lasts two clocks: modes of 40 columns.
  bool half_dot_clock() const { return (sequencer[1] & 0x08) != 0; }
  u32 columns() const { return crtc[0x01] + 1u; }
  /// Scan lines per character row; 1 to 32.
  u32 row_lines() const { return (crtc[0x09] & 0x1fu) + 1; }
  bool double_scanned() const { return (crtc[0x09] & 0x80) != 0; }
  u32 displayed_lines() const;
  /// Scan lines until the address counter restarts at zero.
  u32 line_compare() const;
  /// Of the first character, as the CRT controller counts addresses.
  u32 start_address() const { return u32{crtc[0x0c]} << 8 | crtc[0x0d]; }
  u32 cursor_address() const { return u32{crtc[0x0e]} << 8 | crtc[0x0f]; }
  bool cursor_on() const { return !(crtc[0x0a] & 0x20) && (crtc[0x0a] & 0x1f) <= (crtc[0x0b] & 0x1f); }
  /// From one row to the next, as the CRT controller counts addresses.
  u32 row_pitch() const { return 2u * crtc[0x13]; }
  u32 frame_lines() const;
  /// Where the CRT controller's count `count` finds its byte in each plane, in scan line `row_scan` of its row.
  u32 plane_address(u32 count, u32 row_scan) const;

  /// "80x25 text", "640x480 graphics, 16 colors", "1024x768 graphics, 32 bits" and the like.
  std::string mode_name() const;
};

/// Where the beam is.
struct VgaBeam {
  u64 frame = 0;         // since power-on
  bool display = false;  // inside the picture
  bool vertical_retrace = false;
};
/// The frame begins at virtual time 0 and follows from the registers as they are now.
VgaBeam vga_beam(const VgaRegisters& registers, u64 now_ns);

/// Registers and palette of BIOS mode 3 (80x25 color text), as a video BIOS sets them.
void set_bios_mode_3(VgaRegisters& registers);

}  // namespace reprise::devices
