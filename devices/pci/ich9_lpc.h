// ICH9 device 31 function 0, the LPC bridge: the PIRQ router, and where the power management ports are. Intel ICH9 datasheet
// (316972-004), section 13.1. The ISA devices themselves are elsewhere; most registers here only hold what firmware writes.
// Differs from hardware: PIRQE# to PIRQH# have routes of their own which nothing uses (chipset.h).
// Missing: GPIO, RCBA's memory, TCO.
#pragma once

#include "devices/pci/pirq_router.h"

namespace reprise::devices {

class Ich9Lpc final : public PirqRouter {
 public:
  static constexpr u8 kPmBase = 0x40;
  static constexpr u8 kAcpiControl = 0x44;
  static constexpr u8 kAcpiEnable = 0x80;
  static constexpr u8 kRouteOfPirqE = 0x68;

  /// As PirqRouter's.
  explicit Ich9Lpc(IrqSink& isa_irqs);

  std::string_view name() const override { return "ich9_lpc"; }
  u16 pm_base() const { return word(kPmBase) & 0xff80; }
  bool pm_enabled() const { return byte(kAcpiControl) & kAcpiEnable; }
};

}  // namespace reprise::devices
