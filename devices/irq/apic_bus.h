// ApicBus: carries interrupt messages between IOAPICs, MSI sources and LAPICs, and EOIs back. SDM 3A 10.2, 10.6.2.
#pragma once

#include <vector>

#include "devices/irq/apic.h"

namespace reprise::devices {

class Lapic;

/// Holds no state of its own. Attached parts must outlive it; they are visited in the order of attachment.
class ApicBus final : public ApicMessageSink, public ApicFabric {
 public:
  void attach(Lapic& lapic) { lapics_.push_back(&lapic); }
  void attach(EoiSink& ioapic) { ioapics_.push_back(&ioapic); }

  void deliver(const ApicMessage& message) override { send_ipi(message, std::nullopt); }
  void send_ipi(const ApicMessage& message, std::optional<u32> excluded) override;
  void broadcast_eoi(u8 vector) override;

 private:
  std::vector<Lapic*> lapics_;
  std::vector<EoiSink*> ioapics_;
};

}  // namespace reprise::devices
