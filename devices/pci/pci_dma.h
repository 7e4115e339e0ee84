// PciDma: a PCI function's way to guest memory, open while its command register lets it master the bus.
// PCI 2.2, 6.2.2.
#pragma once

#include <algorithm>

#include "devices/pci/pci_device.h"

namespace reprise::devices {

class PciDma final : public DmaPort {
 public:
  /// Both outlive this.
  PciDma(const PciFunction& function, DmaPort& memory) : function_(function), memory_(memory) {}

  bool dma_read(u64 phys, std::span<u8> into) override {
    if (function_.bus_master()) return memory_.dma_read(phys, into);
    std::fill(into.begin(), into.end(), u8{0xff});
    return false;
  }
  bool dma_write(u64 phys, std::span<const u8> from) override {
    return function_.bus_master() && memory_.dma_write(phys, from);
  }

 private:
  const PciFunction& function_;
  DmaPort& memory_;
};

}  // namespace reprise::devices
