// LAPICs, an IOAPIC and the 8259 pair wired as on a PC.
#include "devices/irq/apic_bus.h"

#include "devices/irq/ioapic.h"
#include "devices/irq/lapic.h"
#include "devices/irq/pic8259.h"
#include "tests/devices/fake_apic.h"

namespace reprise::devices {
namespace {

using namespace testing;

class ApicBusTest : public ::testing::Test {
 protected:
  ApicBusTest()
      : pic(IrqLine(intr, 0)),
        first({.apic_id = 0, .bootstrap = true, .phys_bits = 40}, clock, bus, cores[0], pic),
        second({.apic_id = 1, .bootstrap = false, .phys_bits = 40}, clock, bus, cores[1], pic),
        ioapic(bus) {
    intr.lapic = &first;
    bus.attach(first);
    bus.attach(second);
    bus.attach(ioapic);
    for (Lapic* lapic : {&first, &second}) mmio32(*lapic, 0xf0, 0x1ff);
    mmio32(first, 0xd0, 0x01000000);
    mmio32(second, 0xd0, 0x02000000);
  }
  void entry(unsigned pin, u64 value) {
    mmio32(ioapic, 0, 0x11 + 2 * pin);
    mmio32(ioapic, 0x10, static_cast<u32>(value >> 32));
    mmio32(ioapic, 0, 0x10 + 2 * pin);
    mmio32(ioapic, 0x10, static_cast<u32>(value));
  }
  struct Intr final : IrqSink {
    Lapic* lapic = nullptr;
    void set_irq(unsigned line, bool level) override { lapic->set_irq(line, level); }
  };

  FakeClock clock;
  FakeCore cores[2];
  ApicBus bus;
  Intr intr;
  Pic8259Pair pic;
  Lapic first, second;
  IoApic ioapic;
};

TEST_F(ApicBusTest, LevelInterruptRoundTrip) {
  entry(11, u64{1} << 56 | 0x8051);
  ioapic.set_irq(11, true);
  EXPECT_FALSE(first.interrupt_pending());
  ASSERT_TRUE(second.interrupt_pending());
  EXPECT_EQ(second.acknowledge_interrupt(), 0x51);
  mmio32(second, 0xb0, 0);
  EXPECT_TRUE(second.interrupt_pending()) << "EOI reached the IOAPIC, the line is still high";
  EXPECT_EQ(second.acknowledge_interrupt(), 0x51);
  ioapic.set_irq(11, false);
  mmio32(second, 0xb0, 0);
  EXPECT_FALSE(second.interrupt_pending());
}

TEST_F(ApicBusTest, LowestPriorityGoesToTheIdlest) {
  entry(4, u64{3} << 56 | 0x0951);
  mmio32(first, 0x80, 0x20);
  ioapic.set_irq(4, true);
  EXPECT_FALSE(first.interrupt_pending());
  EXPECT_TRUE(second.interrupt_pending());
  mmio32(second, 0x80, 0x30);
  ioapic.set_irq(4, false);
  ioapic.set_irq(4, true);
  EXPECT_TRUE(first.interrupt_pending());
}

TEST_F(ApicBusTest, BroadcastAndShorthands) {
  mmio32(first, 0x300, 0x000c0061);
  EXPECT_FALSE(first.interrupt_pending());
  EXPECT_TRUE(second.interrupt_pending());
  mmio32(second, 0x300, 0x00080062);
  EXPECT_TRUE(first.interrupt_pending());
  EXPECT_EQ(second.acknowledge_interrupt(), 0x62);
  mmio32(first, 0x300, 0x000c4500);
  mmio32(first, 0x300, 0x000c4608);
  EXPECT_EQ(cores[0].inits, 0);
  EXPECT_EQ(cores[1].inits, 1);
  EXPECT_EQ(cores[1].start_ups, std::vector<u8>{8});
}

TEST_F(ApicBusTest, VirtualWireThroughLint0) {
  out8(pic.master_ports(), 0, 0x13);
  out8(pic.master_ports(), 1, 0x20);
  out8(pic.master_ports(), 1, 0x01);
  mmio32(first, 0x350, 0x700);
  pic.set_irq(1, true);
  ASSERT_TRUE(first.interrupt_pending());
  EXPECT_EQ(first.acknowledge_interrupt(), 0x21);
  EXPECT_FALSE(first.interrupt_pending());
  EXPECT_FALSE(second.interrupt_pending());
}

TEST_F(ApicBusTest, ApicIdOfAnX2ApicAbove255HearsOnlyWideDestinations) {
  FakeCore core;
  Lapic far_one({.apic_id = 0x100, .bootstrap = false, .phys_bits = 40}, clock, bus, core, pic);
  bus.attach(far_one);
  ASSERT_TRUE(far_one.msr_write(0x1b, 0xfee00c00));
  ASSERT_TRUE(far_one.msr_write(0x80f, 0x1ff));
  ASSERT_TRUE(first.msr_write(0x1b, 0xfee00c00));
  ASSERT_TRUE(first.msr_write(0x830, u64{0x100} << 32 | 0x77));
  EXPECT_TRUE(far_one.interrupt_pending());
  EXPECT_FALSE(first.interrupt_pending());
}

}  // namespace
}  // namespace reprise::devices
