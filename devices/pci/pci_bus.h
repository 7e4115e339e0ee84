// PciBus: the functions of one bus, and the way to the buses behind its bridges. PCI 2.2, 3.2.2.3; PCI-to-PCI Bridge Architecture
// Specification 1.2, chapter 3.
#pragma once

#include <array>
#include <functional>

#include "common/result.h"
#include "devices/pci/pci_device.h"

namespace reprise::devices {

class PciBridge;

enum class PciAttachError : u8 { NoSuchSlot, SlotTaken };

class PciBus {
 public:
  /// `bridge` leads to it, and outlives it; nullptr: it is bus 0.
  explicit PciBus(const PciBridge* bridge = nullptr) : bridge_(bridge) {}
  PciBus(const PciBus&) = delete;
  PciBus& operator=(const PciBus&) = delete;

  /// `function` must outlive its stay.
  Result<Done, PciAttachError> attach(unsigned device, unsigned function_number, PciFunction& function);
  /// The slot is empty from now on.
  void detach(unsigned device, unsigned function_number);
  /// nullptr for an empty slot.
  PciFunction* function(unsigned device, unsigned function_number) const;

  /// Of bus 0, and then of buses behind bridges as their registers say: function `number` (8 times the device, and the function) of bus
  /// `bus`. nullptr: no access gets to one.
  PciFunction* find(unsigned bus, unsigned number) const;
  /// What its bridge says; 0 also while that has given it none.
  unsigned number() const;

  /// Do accesses of [base, base + bytes) come here, through all bridges above?
  bool is_reached(PciBar::Space space, u64 base, u64 bytes) const;
  /// Do accesses of functions here get to memory, through all bridges above?
  bool reaches_memory() const;

  /// Each function here and behind its bridges, a bridge before what is behind it.
  void for_each(
      const std::function<void(const PciBus& bus, unsigned number, PciFunction& function)>& part) const;

 private:
  const PciBridge* const bridge_;
  std::array<PciFunction*, 256> functions_{};
};

}  // namespace reprise::devices
