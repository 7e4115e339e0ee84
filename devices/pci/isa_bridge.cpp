#include "devices/pci/isa_bridge.h"

namespace reprise::devices {
IsaBridge::IsaBridge(IrqSink& isa_irqs)
    : PirqRouter({.vendor = 0x8086, .device = 0x7000, .class_code = 0x060100, .multi_function = true},
                 isa_irqs) {
  define16(pci::kCommand, 0x0007, 0x0108);
  define16(pci::kStatus, 0x0200);
  define8(pci::kInterruptLine, 0);
  define8(0x4c, 0x4d, 0xff);        // IORT
  define16(0x4e, 0x0003, 0xffff);   // XBCS
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

}  // namespace reprise::devices
