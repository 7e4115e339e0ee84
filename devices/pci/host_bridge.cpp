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

}  // namespace

HostBridge::HostBridge()
    : PciFunction({.vendor = 0x8086,
                   .device = 0x1237,
                   .revision = 2,
                   .class_code = 0x060000,
                   // By these, firmware and guests know a machine with a configuration device.
                   .subsystem_vendor = 0x1af4,
                   .subsystem = 0x1100}) {
  define16(pci::kCommand, 0x0006, 0x0100);
  define16(pci::kStatus, 0x0280);
  define8(pci::kInterruptLine, 0);
  define16(0x50, 0x0400, 0xffff);  // PMCCFG
  define8(0x52, 0x00, 0xff);       // DETURBO
  define8(0x53, 0x80, 0xff);       // DBC
  define8(0x54, 0x00, 0xff);       // AXC
  define16(0x55, 0x0000, 0xffff);  // DRT
  define8(0x57, 0x01, 0xff);       // DRAMC
  define8(0x58, 0x10, 0xff);       // DRAMT
  for (unsigned i = 0; i < kPamBytes; ++i) define8(kPam0 + i, 0, i == 0 ? kPamWritable & 0xf0 : kPamWritable);
  for (unsigned i = 0x60; i < 0x68; ++i) define8(i, 0x01, 0xff);  // DRB
  define8(0x68, 0x00, 0xff);                                      // FDHC
  define8(0x70, 0x00, 0xff);                                      // MTT
  define8(0x71, 0x10, 0xff);                                      // CLT
  define8(kSmram, kSmramReset, kSmramWritable);
  define8(0x90, 0x00, 0xff);  // ERRCMD
  define16(0x91, 0x0000);     // ERRSTS
  write_one_to_clear16(0x91, 0xffff);
  apply_reset_values();
}

// D_LCK clears D_OPEN and locks all but D_CLS, itself included, until reset.
u8 HostBridge::writable(unsigned offset) const {
  if (offset == kSmram && (byte(kSmram) & kSmramLocked)) return kSmramClosed;
  return PciFunction::writable(offset);
}

void HostBridge::config_changed(ConfigChange change) {
  if (change.touches(kSmram, 1) && (byte(kSmram) & kSmramLocked))
    set_byte(kSmram, byte(kSmram) & static_cast<u8>(~kSmramOpen));
}

PamSegment HostBridge::pam(unsigned index) const {
  PamSegment segment;
  u8 nibble = 0;
  if (index == 0) {
    segment.first_phys = 0xf0000;
    segment.bytes = 0x10000;
    nibble = byte(kPam0) >> 4;
  } else if (index < kPamSegments) {
    segment.first_phys = 0xc0000 + (index - 1) * 0x4000;
    segment.bytes = 0x4000;
    nibble = static_cast<u8>(byte(kPam0 + 1 + (index - 1) / 2) >> (index & 1 ? 0 : 4));
  }
  segment.read_ram = (nibble & kPamRead) != 0;
  segment.write_ram = (nibble & kPamWrite) != 0;
  return segment;
}

SmramVisibility HostBridge::smram() const {
  const u8 smram = byte(kSmram);
  if (!(smram & kSmramEnable)) return {};
  return {.everybody = (smram & kSmramOpen) != 0, .smm_code = true, .smm_data = !(smram & kSmramClosed)};
}

}  // namespace reprise::devices
