// PciWindows: makes the handlers behind base address registers answer where the guest has put them.
// PCI 2.2, 6.2.5.1. Thread: the one that runs the machine.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "devices/bus.h"
#include "devices/pci/pci_device.h"

namespace reprise::machine {

/// Maps and unmaps memory for PciWindows; false when the place is taken.
struct MemoryWindows {
  std::function<bool(const std::string& name, u64 phys, u64 bytes, MmioHandler& handler)> map;
  std::function<void(const std::string& name)> unmap;
};

class PciWindows {
 public:
  PciWindows(devices::PioBus& ports, MemoryWindows memory) : ports_(ports), memory_(std::move(memory)) {}

  /// `function`, known as `slot` ("00:03.0"), outlives this.
  void add(devices::PciFunction& function, std::string slot);
  /// Brings the windows of `function` up to date with its registers. A window on top of another device's is
  /// the guest's mistake: it answers nowhere until the guest moves one of them.
  void update(const devices::PciFunction& function);
  void update_all();

 private:
  struct Card {
    devices::PciFunction* function;
    std::string slot;
    std::array<std::optional<u64>, devices::pci::kBars> mapped{};  // where, if anywhere
  };
  void update(Card& card);
  bool map(const Card& card, unsigned index, u64 base);
  void unmap(const Card& card, unsigned index);
  static std::string name(const Card& card, unsigned index);

  devices::PioBus& ports_;
  MemoryWindows memory_;
  std::vector<Card> cards_;
};

}  // namespace reprise::machine
