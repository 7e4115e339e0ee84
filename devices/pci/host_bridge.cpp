#include "devices/pci/host_bridge.h"

namespace reprise::devices {
namespace {

// SMRAM control, 82441FX datasheet 3.2.19.
constexpr u8 kSmramOpen = 0x40;    // D_OPEN
constexpr u8 kSmramClosed = 0x20;  // D_CLS
constexpr u8 kSmramLocked = 0x10;  // D_LCK
constexpr u8 kSmramEnable = 0x08;  // G_SMRAME
constexpr u8 kSmramReset = 0x02;   // C_BASE_SEG: A0000h, the only choice
constexpr u8 kSmramWritable = 0x78;

// PAM nibble, 3.2.16.
constexpr u8 kPamRead = 1;
constexpr u8 kPamWrite = 2;
constexpr u8 kPamWritable = 0x33;

constexpr u16 kI440fxDevice = 0x1237;
constexpr u16 kQ35Device = 0x29c0;

// PCIEXBAR, 3 Series datasheet 5.1.15.
constexpr u32 kPciExBarReset = 0xe000'0000;
constexpr u32 kPciExBarEnable = 1;
constexpr u32 kPciExBarWritable = 0xfc00'0007;
constexpr unsigned kPciExBarLengthBit = 1;  // 2 bits: 256 MiB, 128, 64
constexpr u64 kPciExBarLargest = 256 << 20;
constexpr u8 kEsmramcReset = 0x38;  // no TSEG

}  // namespace

HostBridge::HostBridge(Chipset chipset)
    : PciFunction({.vendor = 0x8086,
                   .device = chipset == Chipset::Q35 ? kQ35Device : kI440fxDevice,
                   .revision = 2,
                   .class_code = 0x060000,
                   // By these, firmware and guests know a machine with a configuration device.
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100}),
      chipset_(chipset) {
  define16(pci::kCommand, 0x0006, 0x0100);
  define16(pci::kStatus, chipset == Chipset::Q35 ? 0x0080 : 0x0280);
  define8(pci::kInterruptLine, 0);
  for (unsigned i = 0; i < kPamBytes; ++i)
    define8(pam0() + i, 0, i == 0 ? kPamWritable & 0xf0 : kPamWritable);
  define8(smram_register(), kSmramReset, kSmramWritable);
  if (chipset == Chipset::Q35)
    define_q35();
  else
    define_440fx();
  apply_reset_values();
}

void HostBridge::define_440fx() {
  define16(0x50, 0x0400, 0xffff);                                 // PMCCFG
  define8(0x52, 0x00, 0xff);                                      // DETURBO
  define8(0x53, 0x80, 0xff);                                      // DBC
  define8(0x54, 0x00, 0xff);                                      // AXC
  define16(0x55, 0x0000, 0xffff);                                 // DRT
  define8(0x57, 0x01, 0xff);                                      // DRAMC
  define8(0x58, 0x10, 0xff);                                      // DRAMT
  for (unsigned i = 0x60; i < 0x68; ++i) define8(i, 0x01, 0xff);  // DRB
  define8(0x68, 0x00, 0xff);                                      // FDHC
  define8(0x70, 0x00, 0xff);                                      // MTT
  define8(0x71, 0x10, 0xff);                                      // CLT
  define8(0x90, 0x00, 0xff);                                      // ERRCMD
  define16(0x91, 0x0000);                                         // ERRSTS
  write_one_to_clear16(0x91, 0xffff);
}

void HostBridge::define_q35() {
  define32(kPciExBar, kPciExBarReset, kPciExBarWritable);
  define32(kPciExBar + 4, 0, 0x0f);  // addresses have 36 bits
  define8(0x9e, kEsmramcReset);      // ESMRAMC
}

std::optional<HostBridge::Window> HostBridge::config_window() const {
  if (chipset_ != Chipset::Q35) return std::nullopt;
  const u32 low = word(kPciExBar) | u32{word(kPciExBar + 2)} << 16;
  const unsigned length = low >> kPciExBarLengthBit & 3;
  if (!(low & kPciExBarEnable) || length == 3) return std::nullopt;
  const u64 bytes = kPciExBarLargest >> length;
  return Window{(u64{byte(kPciExBar + 4)} << 32 | low) & ~(bytes - 1), bytes};
}

// D_LCK clears D_OPEN and locks all but D_CLS, itself included, until reset.
u8 HostBridge::writable(unsigned offset) const {
  if (offset == smram_register() && (byte(offset) & kSmramLocked)) return kSmramClosed;
  return PciFunction::writable(offset);
}

void HostBridge::config_changed(ConfigChange change) {
  const u8 smram = smram_register();
  if (change.touches(smram, 1) && (byte(smram) & kSmramLocked))
    set_byte(smram, byte(smram) & static_cast<u8>(~kSmramOpen));
}

PamSegment HostBridge::pam(unsigned index) const {
  PamSegment segment;
  u8 nibble = 0;
  if (index == 0) {
    segment.first_phys = 0xf0000;
    segment.bytes = 0x10000;
    nibble = byte(pam0()) >> 4;
  } else if (index < kPamSegments) {
    segment.first_phys = 0xc0000 + (index - 1) * 0x4000;
    segment.bytes = 0x4000;
    nibble = static_cast<u8>(byte(pam0() + 1u + (index - 1) / 2) >> (index & 1 ? 0 : 4));
  }
  segment.read_ram = (nibble & kPamRead) != 0;
  segment.write_ram = (nibble & kPamWrite) != 0;
  return segment;
}

SmramVisibility HostBridge::smram() const {
  const u8 smram = byte(smram_register());
  if (!(smram & kSmramEnable)) return {};
  return {.everybody = (smram & kSmramOpen) != 0, .smm_code = true, .smm_data = !(smram & kSmramClosed)};
}

}  // namespace reprise::devices
