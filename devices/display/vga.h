// VGA: registers at 3B0h-3DFh, memory at A0000h-BFFFFh. IBM PS/2 Hardware Interface Technical Reference,
// Video Subsystem (1992); and Bochs's VBE extension at 1CEh-1D0h (dispi.h). The PCI function around it is vga_card.h.
// Missing: the vertical interrupt, the light pen, the switches of older monitors (input status 0 says
// "color"). Differs from hardware: port 3C3h keeps its bit but does not switch the card off; palette
// registers take writes while the screen shows; a change of timing registers moves the beam at once.
#pragma once

#include <string>

#include "common/ports.h"
#include "devices/device.h"
#include "devices/display/vga_memory.h"
#include "devices/display/vga_registers.h"
#include "devices/pio_ports.h"

namespace reprise::devices {

/// As MmioHandler it takes kRangeBytes at A0000h.
class Vga final : public Device, public MmioHandler {
 public:
  static constexpr u16 kFirstPort = 0x3b0;
  static constexpr u32 kPorts = 0x30;
  static constexpr u64 kRangeBytes = VgaMemory::kRangeBytes;
  static constexpr u16 kFirstDispiPort = 0x1ce;
  static constexpr u32 kDispiPorts = 3;

  /// `memory` outlives this.
  Vga(const Clock& clock, VideoRam& memory);

  /// 3B0h-3DFh, byte wide.
  PioHandler& ports() { return ports_; }
  /// 1CEh-1D0h, word wide: index, data, data again.
  PioHandler& dispi_ports() { return dispi_ports_; }

  static constexpr u32 kFontBytes = 256 * 16;
  /// As a video BIOS leaves the card: mode 3, blank, cursor at the top left. `font`: 16 lines a character, kFontBytes; or
  /// nothing, and none is in plane 2.
  void enter_text_mode(std::span<const u8> font = {});

  /// The screen for a person: a line that names the mode and says where the cursor is, then in text modes the
  /// rows as UTF-8 without trailing blanks.
  std::string text_screen() const;
  /// Characters in a row of it.
  u32 columns() const { return registers_.columns(); }

  const VgaRegisters& registers() const { return registers_; }
  const VgaMemory& memory() const { return memory_; }
  /// DISPI register `index`, whatever the index port says.
  u16 read_dispi(u16 index);
  void write_dispi(u16 index, u16 value);
  /// The frame that the beam draws: what blinks goes by it.
  u64 frame() const { return vga_beam(registers_, clock_.now_ns()).frame; }

  // MmioHandler
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

  // Device
  std::string_view name() const override { return "vga"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override;

 private:
  u32 read_port(u16 offset, Width width);
  void write_port(u16 offset, Width width, u32 value);
  u32 read_dispi_port(u16 offset, Width width);
  void write_dispi_port(u16 offset, Width width, u32 value);
  u8 read_crtc_port(unsigned port);
  void write_crtc_port(unsigned port, u8 value);
  void write_crtc(u8 value);
  void write_attribute_port(u8 value);
  u8 read_dac();
  void write_dac(u8 value);
  void next_dac_component();
  u8 input_status_1() const;
  /// After a change of what steers the memory.
  void configure_memory();

  const Clock& clock_;
  PioPorts<Vga> ports_;
  PioPorts<Vga> dispi_ports_;
  VgaRegisters registers_;
  VgaMemory memory_;
};

}  // namespace reprise::devices
