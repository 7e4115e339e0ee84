// PIIX3 function 0: PCI-to-ISA bridge with the PIRQ router. Intel 82371SB datasheet (290550-002), section 2.2.
// The ISA devices themselves are elsewhere; most registers here only hold what firmware writes.
#pragma once

#include "devices/pci/pci_device.h"

namespace reprise::devices {

/// The PIRQ (0 to 3 for A to D) of an interrupt pin (1 to 4 for INTA# to INTD#), by the wiring of 440FX boards that
/// SeaBIOS and the usual ACPI tables know.
constexpr unsigned pirq_of(unsigned device, unsigned pin) { return (device - 1 + pin - 1) & 3; }

/// As IrqSink it takes PIRQA# to PIRQD# (lines 0 to 3; true = asserted).
class IsaBridge final : public PciFunction, public IrqSink {
 public:
  static constexpr u8 kPirqRoute = 0x60;
  static constexpr unsigned kPirqs = 4;

  /// `isa_irqs` gets lines 0 to 15; level-triggered lines are the firmware's business (ELCR).
  explicit IsaBridge(IrqSink& isa_irqs);

  std::string_view name() const override { return "isa_bridge"; }
  void serialize(Archive& archive) override;
  void set_irq(unsigned line, bool level) override;

 private:
  void config_changed(ConfigChange change) override;
  /// The only place that computes ISA lines from PIRQs and routes.
  void update_irq();

  IrqSink& isa_irqs_;
  std::array<bool, kPirqs> pirqs_{};
  u16 asserted_ = 0;  // ISA lines
};

}  // namespace reprise::devices
