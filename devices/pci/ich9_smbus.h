// ICH9 device 31 function 3, the SMBus controller. Intel ICH9 datasheet (316972-004), section 21.1. Its ports are those of
// misc/smbus_host, at base address register 4.
#pragma once

#include "devices/misc/smbus_host.h"
#include "devices/pci/pci_device.h"

namespace reprise::devices {

class Ich9Smbus final : public PciFunction {
 public:
  static constexpr u8 kHostConfig = 0x40;
  static constexpr u8 kHostEnable = 0x01;

  /// `host` outlives this.
  explicit Ich9Smbus(SmbusHost& host);

  std::string_view name() const override { return "ich9_smbus"; }
};

}  // namespace reprise::devices
