// PciWindows: makes the handlers behind base address registers answer where the guest has put them.
// PCI 2.2, 6.2.5.1. Thread: the one that runs the machine.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "devices/bus.h"
#include "devices/pci/pci_device.h"

namespace reprise::machine {

/// Maps and unmaps memory for PciWindows; false when the place is taken.
struct MemoryWindows {
  std::function<bool(const std::string& name, u64 phys, const devices::PciBar& bar)> map;
  std::function<void(const std::string& name)> unmap;
};

class PciWindows {
 public:
  PciWindows(devices::PioBus& ports, MemoryWindows memory) : ports_(ports), memory_(std::move(memory)) {}

  /// `function`, known as `slot` ("00:03.0"), outlives this.
  void add(const devices::PciFunction& function, const std::string& slot);
  /// Where the registers want each window, if anywhere.
  std::vector<std::optional<u64>> wanted() const;
  /// Maps every window that is wanted and was unmapped, in the order of add(). A window on top of what is
  /// there already is the guest's mistake: it answers nowhere.
  void map_all();
  void unmap_all();

 private:
  struct Window {
    const devices::PciFunction* function;
    unsigned bar;
    std::string name;
    bool mapped = false;
  };
  bool map(const Window& window, u64 base);
  void unmap(const Window& window);

  devices::PioBus& ports_;
  MemoryWindows memory_;
  std::vector<Window> windows_;
};

}  // namespace reprise::machine
