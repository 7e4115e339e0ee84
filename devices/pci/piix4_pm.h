// PIIX4 function 3: where the power management ports are. Intel 82371AB datasheet (290562-001), section 7.1.
// The ports themselves are timer/acpi_pm and misc/smbus_host; the machine maps them at pm_base() while pm_enabled(), at
// smbus_base() while smbus_enabled().
#pragma once

#include "devices/pci/pci_device.h"

namespace reprise::devices {

class Piix4Pm final : public PciFunction {
 public:
  static constexpr u8 kPmBase = 0x40;
  static constexpr u8 kDevActB = 0x58;
  static constexpr u8 kPmRegMisc = 0x80;
  static constexpr u8 kSmbusBase = 0x90;
  static constexpr u8 kSmbusConfig = 0xd2;
  static constexpr u8 kSmbusHostEnable = 0x01;
  static constexpr u8 kSmbusInterruptIrq9 = 0x08;  // 4 << 1; else SMI#

  Piix4Pm();

  std::string_view name() const override { return "piix4_pm"; }
  u16 pm_base() const { return word(kPmBase) & 0xffc0; }
  bool pm_enabled() const { return byte(kPmRegMisc) & 1; }
  u16 smbus_base() const { return word(kSmbusBase) & 0xfff0; }
  bool smbus_enabled() const { return byte(kSmbusConfig) & kSmbusHostEnable; }
  /// DEVACTB.APMC_EN, 7.1.9: a write to the APM control port raises SMI#.
  bool apm_smi_enabled() const { return byte(kDevActB + 3) & 2; }
};

}  // namespace reprise::devices
