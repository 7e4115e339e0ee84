// PirqRouter: the part of a south bridge that sends PCI interrupts to ISA lines, as registers of its function 0 say. 82371SB datasheet
// (290550-002) 2.2.9; ICH9 datasheet (316972-004) 13.1.17.
#pragma once

#include "devices/pci/pci_device.h"

namespace reprise::devices {

/// As IrqSink it takes PIRQA# to PIRQD# (lines 0 to 3; true = asserted).
class PirqRouter : public PciFunction, public IrqSink {
 public:
  static constexpr u8 kPirqRoute = 0x60;
  static constexpr unsigned kPirqs = 4;

  void serialize(Archive& archive) override;
  void set_irq(unsigned line, bool level) override;

 protected:
  /// `isa_irqs` gets lines 0 to 15; level-triggered lines are the firmware's business (ELCR).
  PirqRouter(PciIdentity identity, IrqSink& isa_irqs);

 private:
  void config_changed(ConfigChange change) override;
  /// The only place that computes ISA lines from PIRQs and routes.
  void update_irq();

  IrqSink& isa_irqs_;
  std::array<bool, kPirqs> pirqs_{};
  u16 asserted_ = 0;  // ISA lines
};

}  // namespace reprise::devices
