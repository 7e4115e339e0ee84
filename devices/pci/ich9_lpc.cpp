#include "devices/pci/ich9_lpc.h"

namespace reprise::devices {

Ich9Lpc::Ich9Lpc(IrqSink& isa_irqs)
    : PirqRouter({.vendor = 0x8086,
                  .device = 0x2918,
                  .revision = 2,
                  .class_code = 0x060100,
                  .multi_function = true,
                  .subsystem_vendor = 0x1af4,
                  .subsystem = 0x1100},
                 isa_irqs) {
  define16(pci::kCommand, 0x0007, 0x0100);
  define16(pci::kStatus, 0x0200);
  define8(pci::kInterruptLine, 0);
  define32(kPmBase, 1, 0xff80);
  define8(kAcpiControl, 0, 0x87);
  define32(0x48, 1, 0xff80);                                                     // GPIOBASE
  define8(0x4c, 0, 0x10);                                                        // GC
  define8(0x64, 0x10, 0xff);                                                     // SIRQ_CNTL
  for (unsigned i = 0; i < kPirqs; ++i) define8(kRouteOfPirqE + i, 0x80, 0x8f);  // PIRQE to PIRQH
  define16(0x80, 0x0000, 0x1377);                                                // LPC_I/O_DEC
  define16(0x82, 0x0000, 0x3f0f);                                                // LPC_EN
  for (unsigned i = 0x84; i < 0x94; i += 4) define32(i, 0, 0x00fc'fffd);         // GEN1_DEC to GEN4_DEC
  define16(0xa0, 0x0000, 0xffff);                                                // GEN_PMCON_1
  define8(0xa2, 0x00, 0xff);                                                     // GEN_PMCON_2
  define8(0xa4, 0x00, 0xff);                                                     // GEN_PMCON_3
  define32(0xd0, 0x0011'2233, ~u32{0});                                          // FWH_SEL1
  define16(0xd4, 0x4567, 0xffff);                                                // FWH_SEL2
  define16(0xd8, 0xffcf, 0xffcf);                                                // FWH_DEC_EN1
  define8(0xdc, 0x00, 0x03);                                                     // BIOS_CNTL
  define32(0xf0, 0, 0xffff'c001);                                                // RCBA
  apply_reset_values();
}

}  // namespace reprise::devices
