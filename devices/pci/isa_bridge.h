// PIIX3 function 0: PCI-to-ISA bridge with the PIRQ router. Intel 82371SB datasheet (290550-002), section 2.2.
// The ISA devices themselves are elsewhere; most registers here only hold what firmware writes.
#pragma once

#include "devices/pci/pirq_router.h"

namespace reprise::devices {

class IsaBridge final : public PirqRouter {
 public:
  /// As PirqRouter's.
  explicit IsaBridge(IrqSink& isa_irqs);

  std::string_view name() const override { return "isa_bridge"; }
};

}  // namespace reprise::devices
