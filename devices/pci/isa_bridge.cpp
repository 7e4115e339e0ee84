#include "devices/pci/isa_bridge.h"

#include "common/bits.h"

namespace reprise::devices {
namespace {

// PIRQRC, 82371SB datasheet 2.2.9: bit 7 disables the route; IRQ 0, 1, 2, 8 and 13 are reserved.
constexpr u8 kRouteDisabled = 0x80;
constexpr u8 kRouteWritable = 0x8f;
constexpr u16 kRoutableIrqs = 0xdef8;

}  // namespace

IsaBridge::IsaBridge(IrqSink& isa_irqs)
    : PciFunction({.vendor = 0x8086, .device = 0x7000, .class_code = 0x060100, .multi_function = true}),
      isa_irqs_(isa_irqs) {
  define16(pci::kCommand, 0x0007, 0x0108);
  define16(pci::kStatus, 0x0200);
  define8(pci::kInterruptLine, 0);
  define8(0x4c, 0x4d, 0xff);       // IORT
  define16(0x4e, 0x0003, 0xffff);  // XBCS
  for (unsigned i = 0; i < kPirqs; ++i) define8(kPirqRoute + i, kRouteDisabled, kRouteWritable);
  define8(0x69, 0x02, 0xff);        // TOM
  define16(0x6a, 0x0000, 0xffff);   // MSTAT
  define8(0x70, 0x80, 0xff);        // MBIRQ0
  define16(0x76, 0x0c0c, 0xffff);   // MBDMA
  define16(0x78, 0x0002, 0xffff);   // PCSC
  define8(0x82, 0x00, 0xff);        // DLC
  define8(0xa0, 0x08, 0xff);        // SMICNTL
  define16(0xa2, 0x0000, 0xffff);   // SMIEN
  define32(0xa4, 0x0000, ~u32{0});  // SEE
  define8(0xa8, 0x0f, 0xff);        // FTMR
  define16(0xaa, 0x0000, 0xffff);   // SMIREQ
  define8(0xac, 0x00, 0xff);        // CTLTMR
  define8(0xae, 0x00, 0xff);        // CTHTMR
  apply_reset_values();
}

void IsaBridge::update_irq() {
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

void IsaBridge::set_irq(unsigned line, bool level) {
  if (line >= kPirqs || pirqs_[line] == level) return;
  pirqs_[line] = level;
  update_irq();
}

void IsaBridge::config_changed(ConfigChange change) {
  if (change.touches(kPirqRoute, kPirqs)) update_irq();
}

void IsaBridge::serialize(Archive& archive) {
  PciFunction::serialize(archive);
  archive.value(pirqs_);
  archive.value(asserted_);
}

}  // namespace reprise::devices
