#include "devices/irq/apic_bus.h"

#include "devices/irq/lapic.h"

namespace reprise::devices {

void ApicBus::send_ipi(const ApicMessage& message, std::optional<u32> excluded) {
  Lapic* lowest = nullptr;
  for (Lapic* lapic : lapics_) {
    if (lapic->apic_id() == excluded || !lapic->matches(message)) continue;
    if (message.delivery_mode != DeliveryMode::LowestPriority) {
      lapic->accept(message.delivery_mode, message.vector, message.trigger_mode);
    } else if (lapic->accepts_fixed() &&
               (!lowest || lapic->arbitration_priority() < lowest->arbitration_priority())) {
      lowest = lapic;
    }
  }
  if (lowest) lowest->accept(message.delivery_mode, message.vector, message.trigger_mode);
}

void ApicBus::broadcast_eoi(u8 vector) {
  for (EoiSink* ioapic : ioapics_) ioapic->end_of_interrupt(vector);
}

}  // namespace reprise::devices
