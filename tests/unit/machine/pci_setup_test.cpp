#include "machine/boot/pci_setup.h"

#include <gtest/gtest.h>

#include "devices/misc/reset_control.h"
#include "devices/pci/config_mechanism1.h"
#include "machine/layout/memory_map.h"

namespace reprise::machine::boot {
namespace {

using devices::PciFunction;
namespace pci = devices::pci;

struct Listener final : devices::PciConfigListener {
  void pci_config_changed(PciFunction&, devices::ConfigChange) override {}
};
struct Control final : MachineControl {
  void request(MachineRequest, int) override {}
};
struct Behind final : PioHandler, MmioHandler {
  u32 pio_read(u16, Width) override { return 0; }
  void pio_write(u16, Width, u32) override {}
  u64 mmio_read(u64, Width) override { return 0; }
  void mmio_write(u64, Width, u64) override {}
};

struct Card final : PciFunction {
  Card(Behind& behind, u32 io_bytes, u64 memory_bytes, u32 class_code = 0)
      : PciFunction({.vendor = 0x1234, .device = 1, .class_code = class_code}) {
    define_io_bar(0, io_bytes, behind, Width::Byte);
    define_memory_bar(1, memory_bytes, behind);
    define8(pci::kInterruptPin, 1);
    apply_reset_values();
  }
  std::string_view name() const override { return "card"; }
};

TEST(PciSetup, EveryWindowHasAPlaceOfItsOwnAndAnswers) {
  Listener listener;
  Control control;
  Behind behind;
  devices::ResetControl reset(control);
  devices::ConfigMechanism1 bus(listener, reset);
  Card small(behind, 16, 4096), large(behind, 64, 65536, 0x010000), middle(behind, 32, 8192);
  ASSERT_TRUE(bus.attach(3, 0, small).ok());
  ASSERT_TRUE(bus.attach(4, 0, large).ok());
  ASSERT_TRUE(bus.attach(5, 0, middle).ok());
  set_up_pci(bus.root());
  EXPECT_EQ(large.bar_base(0), 0xc000u);
  EXPECT_EQ(middle.bar_base(0), 0xc040u);
  EXPECT_EQ(small.bar_base(0), 0xc060u);
  EXPECT_EQ(large.bar_base(1), 0xfebe0000u) << "aligned to the largest";
  EXPECT_EQ(middle.bar_base(1), 0xfebf0000u);
  EXPECT_EQ(small.bar_base(1), 0xfebf2000u);
  EXPECT_FALSE(small.bus_master());
  EXPECT_TRUE(large.bus_master()) << "a disk, which firmware drives";
  EXPECT_EQ(small.config_peek(pci::kInterruptLine, Width::Byte), 11u);
  EXPECT_EQ(large.config_peek(pci::kInterruptLine, Width::Byte), 11u);
  EXPECT_EQ(middle.config_peek(pci::kInterruptLine, Width::Byte), 10u);
}

}  // namespace
}  // namespace reprise::machine::boot
