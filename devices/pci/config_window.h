// ConfigWindow: PCI configuration space as memory, PCI Express Base Specification 3.0, 7.2.2 (ECAM): bus, device, function and register in
// address bits 27:20, 19:15, 14:12 and 11:0. Functions have 256 bytes, and nothing answers behind them.
#pragma once

#include "devices/pci/config_mechanism1.h"

namespace reprise::devices {

class ConfigWindow final : public MmioHandler {
 public:
  /// `buses` outlive this.
  explicit ConfigWindow(ConfigMechanism1& buses) : buses_(buses) {}
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

 private:
  ConfigMechanism1& buses_;
};

}  // namespace reprise::devices
