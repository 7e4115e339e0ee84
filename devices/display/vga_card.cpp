#include "devices/display/vga_card.h"

namespace reprise::devices {
namespace {

constexpr PciIdentity kIdentity = {.vendor = VgaCard::kVendor,
                                   .device = VgaCard::kDevice,
                                   .revision = 2,
                                   .class_code = 0x03'00'00,
                                   .subsystem_vendor = 0x1af4,
                                   .subsystem = 0x1100};
constexpr u64 kPorts = 0x400;
constexpr u64 kPortsBytes = 0x20;
constexpr u16 kFirstPortBehind = 0x3c0;
constexpr u64 kDispi = 0x500;
constexpr u64 kDispiBytes = 2 * DispiRegisters::kCount;
constexpr u64 kExtension = 0x600;
// Its size in bytes, and the byte order: little-endian.
constexpr u8 kExtensionBytes[] = {8, 0, 0, 0, 0x1e, 0x1e, 0x1e, 0x1e};

bool in_dispi(u64 offset) { return offset - kDispi < kDispiBytes; }

}  // namespace

VgaCard::VgaCard(const Clock& clock, VideoRam& memory, DisplaySize preferred)
    : PciFunction(kIdentity), vga_(clock, memory), edid_(make_edid(preferred)) {
  define_ram_bar(kMemoryBar, memory);
  define_memory_bar(kRegistersBar, kRegistersBytes, registers_);
  // Firmware takes a card for a VGA by the bit for its legacy ports.
  define16(pci::kCommand, 0, pci::kCommandIo | pci::kCommandMemory | pci::kCommandBusMaster);
  apply_reset_values();
}

void VgaCard::reset(ResetKind kind) {
  PciFunction::reset(kind);
  vga_.reset(kind);
}

void VgaCard::serialize(Archive& archive) {
  PciFunction::serialize(archive);
  vga_.serialize(archive);
}

u8 VgaCard::read_byte(u64 offset) {
  if (offset < kEdidBytes) return edid_[offset];
  if (offset - kPorts < kPortsBytes) {
    const u64 port = offset - kPorts + kFirstPortBehind - Vga::kFirstPort;
    return static_cast<u8>(vga_.ports().pio_read(static_cast<u16>(port), Width::Byte));
  }
  if (offset - kExtension < sizeof kExtensionBytes) return kExtensionBytes[offset - kExtension];
  return 0;
}

void VgaCard::write_byte(u64 offset, u8 value) {
  if (offset - kPorts >= kPortsBytes) return;
  const u64 port = offset - kPorts + kFirstPortBehind - Vga::kFirstPort;
  vga_.ports().pio_write(static_cast<u16>(port), Width::Byte, value);
}

u64 VgaCard::Registers::mmio_read(u64 offset, Width width) {
  u64 value = 0;
  for (unsigned i = 0; i < width_bytes(width);) {
    const u64 at = offset + i;
    if (in_dispi(at)) {
      const u64 word = card_.vga_.read_dispi(static_cast<u16>((at - kDispi) / 2));
      value |= (at % 2 == 0 ? word : word >> 8) << (8 * i);
      i += at % 2 == 0 ? 2 : 1;
    } else {
      value |= u64{card_.read_byte(at)} << (8 * i);
      ++i;
    }
  }
  return value & width_mask(width);
}

void VgaCard::Registers::mmio_write(u64 offset, Width width, u64 value) {
  for (unsigned i = 0; i < width_bytes(width);) {
    const u64 at = offset + i;
    const bool whole_word = at % 2 == 0 && width_bytes(width) - i >= 2;
    // A lone byte is no register.
    if (in_dispi(at) && whole_word)
      card_.vga_.write_dispi(static_cast<u16>((at - kDispi) / 2), static_cast<u16>(value >> (8 * i)));
    if (!in_dispi(at)) card_.write_byte(at, static_cast<u8>(value >> (8 * i)));
    i += in_dispi(at) && whole_word ? 2 : 1;
  }
}

}  // namespace reprise::devices
