#include "devices/pci/piix4_pm.h"

namespace reprise::devices {

Piix4Pm::Piix4Pm()
    : PciFunction({.vendor = 0x8086, .device = 0x7113, .revision = 3, .class_code = 0x068000}) {
  define16(pci::kCommand, 0x0000, 0x0001);
  define16(pci::kStatus, 0x0280);
  define8(pci::kInterruptPin, 1);
  define32(kPmBase, 1, 0xffc0);
  for (unsigned offset = 0x44; offset < 0x80; offset += 4) define32(offset, 0, ~u32{0});  // CNTA to DEVRESJ
  define8(kPmRegMisc, 0, 1);
  // Firmware for virtual machines leaves the SMBus where QEMU has it from power-on; Linux warns when it is nowhere.
  define32(kSmbusBase, 0xb101, 0xfff0);
  define8(kSmbusConfig, kSmbusHostEnable | kSmbusInterruptIrq9, 0x0f);
  define8(0xd3, 0, 0xff);  // SMBSLVC
  define8(0xd4, 0, 0xff);  // SMBSHDW1
  define8(0xd5, 0, 0xff);  // SMBSHDW2
  apply_reset_values();
}

}  // namespace reprise::devices
