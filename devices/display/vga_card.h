// VgaCard: the VGA as a PCI function, register for register QEMU's "standard VGA" (1234:1111): its "QEMU Standard VGA".
//
//     BAR0  the card's memory, plain RAM for processors
//     BAR2  4 KiB:  000h EDID   400h ports 3C0h-3DFh   500h DISPI registers, a word each   600h size and byte order
//     ROM   the video BIOS, if there is one
//
// The legacy ports and the window at A0000h answer whatever the command register says, as a PC's first card does.
// Differs from QEMU: the byte order is little-endian and stays so.
#pragma once

#include <vector>

#include "devices/display/edid.h"
#include "devices/display/vga.h"
#include "devices/pci/pci_device.h"

namespace reprise::devices {

class VgaCard final : public PciFunction {
 public:
  static constexpr u16 kVendor = 0x1234;
  static constexpr u16 kDevice = 0x1111;
  static constexpr unsigned kMemoryBar = 0;
  static constexpr unsigned kRegistersBar = 2;
  static constexpr u64 kRegistersBytes = 0x1000;

  /// `memory` outlives this. `preferred`: what the monitor asks for.
  VgaCard(const Clock& clock, VideoRam& memory, DisplaySize preferred);

  Vga& vga() { return vga_; }
  const Vga& vga() const { return vga_; }

  // Device
  std::string_view name() const override { return "vga"; }
  void reset(ResetKind kind) override;
  void serialize(Archive& archive) override;
  std::string debug_dump() const override { return vga_.debug_dump(); }

 private:
  class Registers final : public MmioHandler {
   public:
    explicit Registers(VgaCard& card) : card_(card) {}
    u64 mmio_read(u64 offset, Width width) override;
    void mmio_write(u64 offset, Width width, u64 value) override;

   private:
    VgaCard& card_;
  };
  /// One byte of the page at BAR2; DISPI registers go by words.
  u8 read_byte(u64 offset);
  void write_byte(u64 offset, u8 value);

  Vga vga_;
  const std::array<u8, kEdidBytes> edid_;
  Registers registers_{*this};
};

}  // namespace reprise::devices
