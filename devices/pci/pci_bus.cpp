#include "devices/pci/pci_bus.h"

#include "devices/pci/pci_bridge.h"

namespace reprise::devices {

Result<Done, PciAttachError> PciBus::attach(unsigned device, unsigned function_number,
                                            PciFunction& function) {
  if (device >= 32 || function_number >= 8) return PciAttachError::NoSuchSlot;
  PciFunction*& slot = functions_[device * 8 + function_number];
  if (slot) return PciAttachError::SlotTaken;
  slot = &function;
  function.set_bus(this);
  return Done{};
}

void PciBus::detach(unsigned device, unsigned function_number) {
  PciFunction*& slot = functions_.at(device * 8 + function_number);
  if (slot != nullptr) slot->set_bus(nullptr);
  slot = nullptr;
}

PciFunction* PciBus::function(unsigned device, unsigned function_number) const {
  return device < 32 && function_number < 8 ? functions_[device * 8 + function_number] : nullptr;
}

unsigned PciBus::number() const { return bridge_ != nullptr ? bridge_->secondary_number() : 0; }

PciFunction* PciBus::find(unsigned bus, unsigned number) const {
  if (bus == this->number()) return functions_.at(number);
  for (PciFunction* const function : functions_)
    if (PciBridge* const bridge = function != nullptr ? function->as_bridge() : nullptr;
        bridge != nullptr && bridge->leads_to(bus))
      return bridge->secondary().find(bus, number);
  return nullptr;
}

bool PciBus::is_reached(PciBar::Space space, u64 base, u64 bytes) const {
  return bridge_ == nullptr ||
         (bridge_->forwards(space, base, bytes) &&
          (bridge_->bus() == nullptr || bridge_->bus()->is_reached(space, base, bytes)));
}

bool PciBus::reaches_memory() const {
  // A bridge's own way includes those above.
  return bridge_ == nullptr || (bridge_->is_open() && bridge_->bus_master());
}

void PciBus::for_each(
    const std::function<void(const PciBus& bus, unsigned number, PciFunction& function)>& part) const {
  for (unsigned number = 0; number < functions_.size(); ++number) {
    PciFunction* const function = functions_[number];
    if (function == nullptr) continue;
    part(*this, number, *function);
    if (PciBridge* const bridge = function->as_bridge()) bridge->secondary().for_each(part);
  }
}

}  // namespace reprise::devices
