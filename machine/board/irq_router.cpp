#include "machine/board/irq_router.h"

#include <algorithm>

namespace reprise::machine {

IrqLine IrqRouter::add_source(unsigned line) {
  sources_.push_back({line, false});
  return IrqLine(*this, static_cast<unsigned>(sources_.size() - 1));
}

void IrqRouter::set_irq(unsigned line, bool level) {
  Source& source = sources_.at(line);
  const bool before = level_of(source.line);
  source.level = level;
  const bool after = level_of(source.line);
  if (before == after) return;
  if (source.line < kIsaIrqs) {
    pic_.set_irq(source.line, after);
    ioapic_.set_irq(source.line == kIrqPit ? kPitGsi : source.line, after);
  } else {
    ioapic_.set_irq(kPirqGsi + (source.line - kIsaIrqs), after);
    if (pirq_router_) pirq_router_->set_irq(source.line - kIsaIrqs, after);
  }
}

void IrqRouter::serialize(Archive& archive) {
  archive.tag("irq_router");
  for (Source& source : sources_) archive.value(source.level);
}

bool IrqRouter::level_of(unsigned line) const {
  return std::ranges::any_of(sources_,
                             [&](const Source& source) { return source.line == line && source.level; });
}

}  // namespace reprise::machine
