// ConfigWindow: PCI configuration space as memory, PCI Express Base Specification 3.0, 7.2.2 (ECAM): bus, device, function and register in
// address bits 27:20, 19:15, 14:12 and 11:0. One bus, number 0; functions have 256 bytes, and nothing answers behind them.
#pragma once

#include "devices/pci/config_mechanism1.h"

namespace reprise::devices {

class ConfigWindow final : public MmioHandler {
 public:
  /// `bus` outlives this.
  explicit ConfigWindow(ConfigMechanism1& bus) : bus_(bus) {}
  u64 mmio_read(u64 offset, Width width) override;
  void mmio_write(u64 offset, Width width, u64 value) override;

 private:
  ConfigMechanism1& bus_;
};

}  // namespace reprise::devices
