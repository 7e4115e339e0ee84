// IrqRouter: the wires between interrupt sources and the two interrupt controllers of the PC.
//
//     ISA line n ---+--- 8259 pair, input n
//                   +--- IOAPIC, pin n (line 0: pin 2)
//     PIRQ n -------+--- IOAPIC, pin 16+n
//                   +--- the ISA bridge, which passes it on to an ISA line
//
// A line with several sources is the OR of them, as on a board with open-drain or level-shared lines.
#pragma once

#include <vector>

#include "common/archive.h"
#include "common/ports.h"
#include "machine/layout/pc_layout.h"

namespace reprise::machine {

class IrqRouter final : public IrqSink {
 public:
  IrqRouter(IrqSink& pic, IrqSink& ioapic) : pic_(pic), ioapic_(ioapic) {}

  /// One more source on ISA line `line` (0 to 15) or on PIRQ `pirq` (0 to 3). During construction only.
  IrqLine isa_source(unsigned line) { return add_source(line); }
  IrqLine pirq_source(unsigned pirq) { return add_source(kIsaIrqs + pirq); }

  /// Who else hears of PIRQs (lines 0 to 3). During construction only.
  void set_pirq_router(IrqSink& isa_bridge) { pirq_router_ = &isa_bridge; }

  /// The level of ISA line 0 to 15 or, from 16 on, of PIRQ 0 to 3.
  bool level_of(unsigned line) const;

  /// `line` is a source.
  void set_irq(unsigned line, bool level) override;

  void serialize(Archive& archive);

 private:
  struct Source {
    unsigned line;  // 0 to 15: ISA; from 16: PIRQ
    bool level;
  };
  IrqLine add_source(unsigned line);

  IrqSink& pic_;
  IrqSink& ioapic_;
  IrqSink* pirq_router_ = nullptr;
  std::vector<Source> sources_;
};

}  // namespace reprise::machine
