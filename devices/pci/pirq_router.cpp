#include "devices/pci/pirq_router.h"

#include "common/bits.h"

namespace reprise::devices {
namespace {

// Bit 7 disables the route; IRQ 0, 1, 2, 8 and 13 are reserved.
constexpr u8 kRouteDisabled = 0x80;
constexpr u8 kRouteWritable = 0x8f;
constexpr u16 kRoutableIrqs = 0xdef8;

}  // namespace

PirqRouter::PirqRouter(PciIdentity identity, IrqSink& isa_irqs) : PciFunction(identity), isa_irqs_(isa_irqs) {
  for (unsigned i = 0; i < kPirqs; ++i) define8(kPirqRoute + i, kRouteDisabled, kRouteWritable);
}

void PirqRouter::update_irq() {
  u16 lines = 0;
  for (unsigned i = 0; i < kPirqs; ++i) {
    const u8 route = byte(kPirqRoute + i);
    if (pirqs_[i] && !(route & kRouteDisabled)) lines |= static_cast<u16>(1u << (route & 15) & kRoutableIrqs);
  }
  const u16 changed = lines ^ asserted_;
  asserted_ = lines;
  for (unsigned line = 0; line < 16; ++line)
    if (bit(changed, line)) isa_irqs_.set_irq(line, bit(lines, line));
}

void PirqRouter::set_irq(unsigned line, bool level) {
  if (line >= kPirqs || pirqs_[line] == level) return;
  pirqs_[line] = level;
  update_irq();
}

void PirqRouter::config_changed(ConfigChange change) {
  if (change.touches(kPirqRoute, kPirqs)) update_irq();
}

void PirqRouter::serialize(Archive& archive) {
  PciFunction::serialize(archive);
  archive.value(pirqs_);
  archive.value(asserted_);
}

}  // namespace reprise::devices
