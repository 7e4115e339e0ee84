#include "devices/irq/lapic.h"

#include "tests/devices/fake_apic.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kBase = 0xfee00000;
constexpr u64 kEnable = 0x800;
constexpr u64 kExtended = 0x400;
constexpr u64 kBsp = 0x100;

// xAPIC offsets.
constexpr u64 kId = 0x20, kVersion = 0x30, kTpr = 0x80, kPpr = 0xa0, kEoi = 0xb0, kLdr = 0xd0, kDfr = 0xe0,
              kSvr = 0xf0, kIsr = 0x100, kTmr = 0x180, kIrr = 0x200, kEsr = 0x280, kIcr = 0x300,
              kIcrHigh = 0x310, kLvtTimer = 0x320, kLvtThermal = 0x330, kLvtPerf = 0x340, kLvtLint0 = 0x350,
              kLvtLint1 = 0x360, kLvtError = 0x370, kInitial = 0x380, kCurrent = 0x390, kDivide = 0x3e0;
constexpr u32 kDivideBy1 = 0xb;

struct Board {
  explicit Board(u32 id = 0)
      : lapic({.apic_id = id, .bootstrap = id == 0, .phys_bits = 40}, clock, fabric, core, pic) {}
  FakeClock clock;
  FakeFabric fabric;
  FakeCore core;
  FakePic pic;
  Lapic lapic;
};

class LapicTest : public ::testing::Test, protected Board {
 protected:
  u32 read(u64 offset) { return mmio32(lapic, offset); }
  void write(u64 offset, u32 value) { mmio32(lapic, offset, value); }
  void enable() { write(kSvr, 0x1ff); }
  void raise(u8 vector, TriggerMode trigger = TriggerMode::Edge) {
    lapic.accept(DeliveryMode::Fixed, vector, trigger);
  }
  bool irr(u8 vector) { return read(kIrr + vector / 32 * 0x10) >> (vector % 32) & 1; }
  bool isr(u8 vector) { return read(kIsr + vector / 32 * 0x10) >> (vector % 32) & 1; }
  bool tmr(u8 vector) { return read(kTmr + vector / 32 * 0x10) >> (vector % 32) & 1; }
  void go_x2apic() { ASSERT_TRUE(lapic.msr_write(0x1b, kBase | kEnable | kExtended | kBsp)); }
  u64 msr(u32 number) {
    u64 value = 0xdead;
    EXPECT_TRUE(lapic.msr_read(number, value)) << std::hex << number;
    return value;
  }
};

TEST_F(LapicTest, RegistersAfterReset) {
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    enable();
    raise(0x40);
    write(kLvtTimer, 0x20030);
    write(kInitial, 1000);
    lapic.reset(kind);
    EXPECT_EQ(read(kId), 0u);
    EXPECT_EQ(read(kVersion), 0x01050014u);
    EXPECT_EQ(read(kTpr), 0u);
    EXPECT_EQ(read(kPpr), 0u);
    EXPECT_EQ(read(kLdr), 0u);
    EXPECT_EQ(read(kDfr), 0xffffffffu);
    EXPECT_EQ(read(kSvr), 0xffu);
    for (u64 lvt : {kLvtTimer, kLvtThermal, kLvtPerf, kLvtLint0, kLvtLint1, kLvtError})
      EXPECT_EQ(read(lvt), 0x10000u);
    EXPECT_EQ(read(kInitial), 0u);
    EXPECT_EQ(read(kCurrent), 0u);
    EXPECT_EQ(read(kDivide), 0u);
    EXPECT_FALSE(irr(0x40));
    EXPECT_FALSE(lapic.interrupt_pending());
    EXPECT_EQ(msr(0x1b), kBase | kEnable | kBsp);
  }
}

TEST_F(LapicTest, WritableBits) {
  enable();
  for (auto [offset, mask] : {std::pair<u64, u32>{kTpr, 0xff},
                              {kLdr, 0xff000000},
                              {kSvr, 0x13ff},
                              {kLvtThermal, 0x107ff},
                              {kLvtPerf, 0x107ff},
                              {kLvtLint0, 0x1a7ff},
                              {kLvtLint1, 0x1a7ff},
                              {kLvtError, 0x100ff},
                              {kDivide, 0xb},
                              {kIcrHigh, 0xff000000}}) {
    write(offset, 0xffffffff);
    EXPECT_EQ(read(offset), mask) << std::hex << offset;
  }
  write(kDfr, 0);
  EXPECT_EQ(read(kDfr), 0x0fffffffu);
  for (u64 read_only : {kId, kVersion, kPpr, kIsr, kIrr, kTmr}) {
    const u32 before = read(read_only);
    write(read_only, ~before);
    EXPECT_EQ(read(read_only), before) << std::hex << read_only;
  }
}

TEST_F(LapicTest, IrrIsrEoi) {
  enable();
  raise(0x41);
  EXPECT_TRUE(irr(0x41));
  EXPECT_TRUE(lapic.interrupt_pending());
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x41);
  EXPECT_FALSE(irr(0x41));
  EXPECT_TRUE(isr(0x41));
  EXPECT_EQ(read(kPpr), 0x40u);
  raise(0x4f);
  EXPECT_FALSE(lapic.interrupt_pending()) << "same priority class";
  raise(0x50);
  EXPECT_TRUE(lapic.interrupt_pending());
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x50);
  write(kEoi, 0);
  EXPECT_FALSE(isr(0x50));
  EXPECT_TRUE(isr(0x41));
  write(kEoi, 0);
  EXPECT_TRUE(lapic.interrupt_pending());
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x4f);
  EXPECT_TRUE(fabric.eois.empty()) << "edge interrupts are not broadcast";
}

TEST_F(LapicTest, TheCoreIsToldWhenAnInterruptBeginsToWait) {
  enable();
  EXPECT_EQ(core.interrupts, 0);
  raise(0x51);
  EXPECT_EQ(core.interrupts, 1);
  raise(0x62);
  EXPECT_EQ(core.interrupts, 1) << "one waits already";
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x62);
  EXPECT_EQ(core.interrupts, 1) << "the other has less priority";
  write(kEoi, 0);
  EXPECT_EQ(core.interrupts, 2);
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x51);
  write(kEoi, 0);
  write(kTpr, 0x80);
  raise(0x51);
  EXPECT_EQ(core.interrupts, 2);
  lapic.set_cr8(0);
  EXPECT_EQ(core.interrupts, 3);
}

TEST_F(LapicTest, TaskPriorityAndCr8) {
  enable();
  raise(0x41);
  write(kTpr, 0x4f);
  EXPECT_FALSE(lapic.interrupt_pending());
  EXPECT_EQ(lapic.cr8(), 4);
  EXPECT_EQ(read(kPpr), 0x4fu);
  lapic.set_cr8(3);
  EXPECT_EQ(read(kTpr), 0x30u);
  EXPECT_TRUE(lapic.interrupt_pending());
  lapic.set_cr8(15);
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0xff) << "priority was raised in between: the spurious vector";
  EXPECT_TRUE(irr(0x41));
  EXPECT_FALSE(isr(0xff));
}

TEST_F(LapicTest, LevelInterruptsSetTmrAndBroadcastTheirEoi) {
  enable();
  raise(0x61, TriggerMode::Level);
  EXPECT_TRUE(tmr(0x61));
  lapic.acknowledge_interrupt();
  write(kEoi, 0);
  EXPECT_EQ(fabric.eois, std::vector<u8>{0x61});
  write(kSvr, 0x11ff);  // suppress
  raise(0x61, TriggerMode::Level);
  lapic.acknowledge_interrupt();
  write(kEoi, 0);
  EXPECT_EQ(fabric.eois.size(), 1u);
  raise(0x61, TriggerMode::Edge);
  EXPECT_FALSE(tmr(0x61));
}

TEST_F(LapicTest, SoftwareDisabledTakesNoFixedInterruptsAndKeepsLvtsMasked) {
  raise(0x41);
  EXPECT_FALSE(irr(0x41));
  write(kLvtTimer, 0x30);
  EXPECT_EQ(read(kLvtTimer), 0x10030u);
  enable();
  write(kLvtTimer, 0x30);
  raise(0x41);
  write(kSvr, 0xff);
  EXPECT_EQ(read(kLvtTimer), 0x10030u);
  EXPECT_TRUE(lapic.interrupt_pending()) << "what was accepted is still served";
  lapic.accept(DeliveryMode::Nmi, 0, TriggerMode::Edge);
  EXPECT_EQ(core.nmis, 1);
}

TEST_F(LapicTest, OtherDeliveryModesReachTheCore) {
  enable();
  lapic.accept(DeliveryMode::Smi, 0, TriggerMode::Edge);
  lapic.accept(DeliveryMode::Nmi, 0, TriggerMode::Edge);
  write(kTpr, 0x20);
  lapic.accept(DeliveryMode::Init, 0, TriggerMode::Edge);
  lapic.accept(DeliveryMode::StartUp, 0x9a, TriggerMode::Edge);
  EXPECT_EQ(core.smis, 1);
  EXPECT_EQ(core.nmis, 1);
  EXPECT_EQ(core.inits, 1);
  EXPECT_EQ(core.start_ups, std::vector<u8>{0x9a});
  EXPECT_EQ(read(kTpr), 0x20u) << "the core has not taken the INIT yet";
  lapic.init_reset();
  EXPECT_EQ(read(kTpr), 0u) << "INIT resets the registers";
  EXPECT_EQ(read(kSvr), 0xffu);
}

TEST_F(LapicTest, IcrSendsWhatItSays) {
  enable();
  write(kIcrHigh, 0x03000000);
  write(kIcr, 0x000048fe & ~0x700u);
  ASSERT_EQ(fabric.messages.size(), 1u);
  EXPECT_EQ(fabric.messages[0].destination, 3u);
  EXPECT_EQ(fabric.messages[0].destination_mode, DestinationMode::Logical);
  EXPECT_EQ(fabric.messages[0].vector, 0xfe);
  EXPECT_EQ(fabric.exclusions[0], std::nullopt);
  write(kIcr, 0x000c4500);  // INIT to all but self
  EXPECT_EQ(fabric.messages[1].delivery_mode, DeliveryMode::Init);
  EXPECT_EQ(fabric.messages[1].destination, kApicBroadcast);
  EXPECT_EQ(fabric.exclusions[1], 0u);
  write(kIcr, 0x000c8500);  // INIT level de-assert
  EXPECT_EQ(fabric.messages.size(), 2u);
  write(kIcr, 0x000c4699);
  EXPECT_EQ(fabric.messages[2].delivery_mode, DeliveryMode::StartUp);
  EXPECT_EQ(fabric.messages[2].vector, 0x99);
  write(kIcr, 0x00080051);  // all including self
  EXPECT_EQ(fabric.messages[3].destination, kApicBroadcast);
  EXPECT_EQ(fabric.exclusions[3], std::nullopt);
  write(kIcrHigh, 0xff000000);
  write(kIcr, 0x51);
  EXPECT_EQ(fabric.messages[4].destination, kApicBroadcast);
  EXPECT_EQ(read(kIcr), 0x51u) << "delivery status is idle";
}

TEST_F(LapicTest, SelfShorthand) {
  enable();
  write(kIcr, 0x00040055);
  EXPECT_TRUE(irr(0x55));
  EXPECT_TRUE(fabric.messages.empty());
  write(kIcr, 0x00040456);  // NMI to self is not valid
  EXPECT_EQ(core.nmis, 0);
}

TEST_F(LapicTest, ErrorsGatherUntilEsrIsWritten) {
  enable();
  write(kLvtError, 0xe0);
  write(kIcr, 0x00040005);  // illegal vector sent
  EXPECT_TRUE(irr(0xe0));
  EXPECT_EQ(read(kEsr), 0u);
  raise(0x0f);  // illegal vector received
  read(0x3f0);  // no such register in the page
  write(kEsr, 0);
  EXPECT_EQ(read(kEsr), 0xe0u);
  write(kEsr, 0);
  EXPECT_EQ(read(kEsr), 0u);
}

TEST_F(LapicTest, IllegalErrorVectorDoesNotRecurse) {
  enable();
  write(kLvtError, 0x02);
  raise(0x01);
  write(kEsr, 0);
  EXPECT_EQ(read(kEsr), 0x40u);
}

TEST_F(LapicTest, OneShotTimer) {
  enable();
  write(kLvtTimer, 0x31);
  write(kDivide, kDivideBy1);
  write(kInitial, 1000);
  EXPECT_EQ(read(kCurrent), 1000u);
  clock.step(999);
  EXPECT_EQ(read(kCurrent), 1u);
  EXPECT_FALSE(irr(0x31));
  clock.step(1);
  EXPECT_EQ(read(kCurrent), 0u);
  EXPECT_TRUE(irr(0x31));
  lapic.acknowledge_interrupt();
  write(kEoi, 0);
  clock.step(100000);
  EXPECT_FALSE(irr(0x31));
}

TEST_F(LapicTest, TimerDivides) {
  enable();
  write(kLvtTimer, 0x31);
  static constexpr std::pair<u32, u32> kDividers[] = {{0, 2},  {1, 4},  {2, 8},    {3, 16},
                                                      {8, 32}, {9, 64}, {10, 128}, {11, 1}};
  for (auto [code, divisor] : kDividers) {
    write(kDivide, code);
    write(kInitial, 100);
    clock.step(divisor * 99 + (divisor > 1 ? 1 : 0));
    EXPECT_EQ(read(kCurrent), 1u) << divisor;
    EXPECT_FALSE(irr(0x31));
    clock.step(divisor);
    EXPECT_TRUE(irr(0x31)) << divisor;
    lapic.acknowledge_interrupt();
    write(kEoi, 0);
  }
}

TEST_F(LapicTest, ChangingTheDividerKeepsTheCount) {
  enable();
  write(kLvtTimer, 0x31);
  write(kDivide, kDivideBy1);
  write(kInitial, 1000);
  clock.step(400);
  write(kDivide, 0);
  EXPECT_EQ(read(kCurrent), 600u);
  clock.step(1199);
  EXPECT_FALSE(irr(0x31));
  clock.step(1);
  EXPECT_TRUE(irr(0x31));
}

TEST_F(LapicTest, PeriodicTimerDoesNotDrift) {
  enable();
  write(kLvtTimer, 0x20031);
  write(kDivide, kDivideBy1);
  write(kInitial, 10000);
  int expiries = 0;
  for (int i = 0; i < 1000; ++i) {
    clock.step(1001);
    if (!irr(0x31)) continue;
    ++expiries;
    EXPECT_LT(read(kCurrent), 10001u);
    lapic.acknowledge_interrupt();
    write(kEoi, 0);
  }
  EXPECT_EQ(expiries, 100);
  EXPECT_EQ(read(kCurrent), 10000u - 1001000 % 10000);
}

TEST_F(LapicTest, MaskedTimerCountsWithoutEventsOrInterrupts) {
  enable();
  write(kLvtTimer, 0x30031);
  write(kDivide, kDivideBy1);
  write(kInitial, 1000);
  clock.step(1500);
  EXPECT_EQ(read(kCurrent), 500u);
  EXPECT_EQ(clock.events(), 0u);
  write(kLvtTimer, 0x20031);
  EXPECT_FALSE(irr(0x31)) << "the masked expiry is gone";
  clock.step(500);
  EXPECT_TRUE(irr(0x31));
}

TEST_F(LapicTest, MaskedOneShotExpiryIsGone) {
  enable();
  write(kLvtTimer, 0x10031);
  write(kDivide, kDivideBy1);
  write(kInitial, 1000);
  clock.step(1500);
  EXPECT_EQ(read(kCurrent), 0u);
  write(kLvtTimer, 0x31);
  clock.step(1);
  EXPECT_FALSE(irr(0x31));
}

TEST_F(LapicTest, OnlyReadsOfTheCurrentCountTakeLonger) {
  enable();
  for (u64 offset = 0; offset < 0x1000; offset += 16) {
    if (offset != kCurrent) read(offset);
  }
  write(kInitial, 1000);
  EXPECT_FALSE(lapic.debug_dump().empty());
  EXPECT_EQ(clock.stalled_ns, 0u);
  read(kCurrent);
  const u64 once_ns = clock.stalled_ns;
  EXPECT_GT(once_ns, 0u);
  go_x2apic();
  for (u32 msr_index = 0x800; msr_index < 0x840; ++msr_index) {
    u64 value;
    if (msr_index != 0x839) lapic.msr_read(msr_index, value);
  }
  EXPECT_EQ(clock.stalled_ns, once_ns);
  msr(0x839);
  EXPECT_EQ(clock.stalled_ns, 2 * once_ns);
}

TEST_F(LapicTest, TinyPeriodsAreBounded) {
  enable();
  write(kLvtTimer, 0x20031);
  write(kDivide, kDivideBy1);
  write(kInitial, 1);
  clock.step(1000000);
  EXPECT_LE(clock.events(), 1001u);
  EXPECT_GE(clock.events(), 999u);
  EXPECT_EQ(read(kCurrent), 1u);
}

TEST_F(LapicTest, TscDeadline) {
  enable();
  EXPECT_TRUE(lapic.msr_write(0x6e0, 500));
  EXPECT_EQ(msr(0x6e0), 0u) << "ignored in the other modes";
  write(kLvtTimer, 0x40032);
  clock.step(100);
  EXPECT_TRUE(lapic.msr_write(0x6e0, 500));
  EXPECT_EQ(msr(0x6e0), 500u);
  write(kInitial, 7);
  EXPECT_EQ(read(kInitial), 0u);
  EXPECT_EQ(read(kCurrent), 0u);
  clock.step(399);
  EXPECT_FALSE(irr(0x32));
  clock.step(1);
  EXPECT_TRUE(irr(0x32));
  EXPECT_EQ(msr(0x6e0), 0u);
}

TEST_F(LapicTest, TscDeadlineInThePastFiresAtOnceAndZeroDisarms) {
  enable();
  write(kLvtTimer, 0x40032);
  clock.step(1000);
  lapic.msr_write(0x6e0, 10);
  EXPECT_FALSE(irr(0x32)) << "not inside the write";
  clock.step(0);
  EXPECT_TRUE(irr(0x32));
  lapic.acknowledge_interrupt();
  write(kEoi, 0);
  lapic.msr_write(0x6e0, 2000);
  lapic.msr_write(0x6e0, 0);
  clock.step(5000);
  EXPECT_FALSE(irr(0x32));
  lapic.msr_write(0x6e0, ~u64{0});
  EXPECT_EQ(msr(0x6e0), ~u64{0});
  clock.step(5000);
  EXPECT_FALSE(irr(0x32));
}

TEST_F(LapicTest, LeavingTscDeadlineModeDisarms) {
  enable();
  write(kLvtTimer, 0x40032);
  lapic.msr_write(0x6e0, 300);
  write(kLvtTimer, 0x32);
  write(kLvtTimer, 0x40032);
  EXPECT_EQ(msr(0x6e0), 0u);
  clock.step(1000);
  EXPECT_FALSE(irr(0x32));
  write(kLvtTimer, 0x32);
  write(kInitial, 100);
  write(kLvtTimer, 0x40032);
  clock.step(1000);
  EXPECT_FALSE(irr(0x32));
}

TEST_F(LapicTest, Lint0PassesExtInt) {
  lapic.set_irq(0, true);
  EXPECT_FALSE(lapic.interrupt_pending()) << "masked after reset";
  enable();
  write(kLvtLint0, 0x700);
  EXPECT_TRUE(lapic.interrupt_pending());
  write(kTpr, 0xff);
  EXPECT_TRUE(lapic.interrupt_pending()) << "ExtINT knows no priority";
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x30);
  EXPECT_EQ(pic.acknowledges, 1);
  lapic.set_irq(0, false);
  EXPECT_FALSE(lapic.interrupt_pending());
}

TEST_F(LapicTest, DisabledApicIsAWireToIntrAndNmi) {
  EXPECT_TRUE(lapic.msr_write(0x1b, kBase));
  EXPECT_FALSE(core.mmio_enabled);
  lapic.set_irq(0, true);
  EXPECT_TRUE(lapic.interrupt_pending());
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x30);
  lapic.set_irq(1, true);
  EXPECT_EQ(core.nmis, 1);
  EXPECT_EQ(mmio32(lapic, kVersion), 0xffffffffu);
}

TEST_F(LapicTest, Lint1NmiAndFixedEdges) {
  enable();
  write(kLvtLint1, 0x400);
  lapic.set_irq(1, true);
  EXPECT_EQ(core.nmis, 1);
  write(kLvtLint0, 0x31);
  lapic.set_irq(0, true);
  EXPECT_TRUE(irr(0x31));
  lapic.acknowledge_interrupt();
  write(kEoi, 0);
  EXPECT_FALSE(lapic.interrupt_pending());
}

TEST_F(LapicTest, PerformanceInterruptMasksItsEntry) {
  enable();
  lapic.performance_interrupt();
  EXPECT_FALSE(lapic.interrupt_pending());
  write(kLvtPerf, 0x51);
  lapic.performance_interrupt();
  EXPECT_TRUE(irr(0x51));
  EXPECT_EQ(read(kLvtPerf), 0x10051u);
  lapic.acknowledge_interrupt();
  write(kEoi, 0);
  lapic.performance_interrupt();
  EXPECT_FALSE(irr(0x51));
  write(kLvtPerf, 0x400);
  lapic.performance_interrupt();
  lapic.performance_interrupt();
  EXPECT_EQ(core.nmis, 1);
  write(kLvtPerf, 0x400);
  ASSERT_TRUE(lapic.msr_write(0x1b, kBase | kBsp));
  lapic.performance_interrupt();
  EXPECT_EQ(core.nmis, 1);
}

TEST_F(LapicTest, Lint0LevelRepeatsUntilTheLineFalls) {
  enable();
  write(kLvtLint0, 0x8031);
  lapic.set_irq(0, true);
  EXPECT_EQ(read(kLvtLint0), 0xc031u) << "remote IRR";
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x31);
  write(kEoi, 0);
  EXPECT_TRUE(lapic.interrupt_pending());
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x31);
  lapic.set_irq(0, false);
  write(kEoi, 0);
  EXPECT_FALSE(lapic.interrupt_pending());
  EXPECT_EQ(read(kLvtLint0), 0x8031u);
}

TEST_F(LapicTest, ExtIntMessageIsTakenOnce) {
  enable();
  lapic.accept(DeliveryMode::ExtInt, 0, TriggerMode::Edge);
  EXPECT_TRUE(lapic.interrupt_pending());
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x30);
  EXPECT_FALSE(lapic.interrupt_pending());
}

TEST_F(LapicTest, ApicBaseTransitions) {
  const u64 disabled = kBase, xapic = kBase | kEnable, x2apic = kBase | kEnable | kExtended;
  EXPECT_FALSE(lapic.msr_write(0x1b, kBase | kExtended)) << "invalid state";
  EXPECT_TRUE(lapic.msr_write(0x1b, x2apic));
  EXPECT_FALSE(core.mmio_enabled);
  EXPECT_FALSE(lapic.msr_write(0x1b, xapic)) << "x2APIC to xAPIC";
  EXPECT_TRUE(lapic.msr_write(0x1b, x2apic));
  EXPECT_TRUE(lapic.msr_write(0x1b, disabled));
  EXPECT_FALSE(lapic.msr_write(0x1b, x2apic)) << "disabled to x2APIC";
  EXPECT_TRUE(lapic.msr_write(0x1b, xapic));
  EXPECT_TRUE(lapic.msr_write(0x1b, disabled));
  EXPECT_TRUE(lapic.msr_write(0x1b, xapic));
  EXPECT_EQ(msr(0x1b), xapic | kBsp) << "the bootstrap bit is a fact";
  for (u64 reserved : {u64{1}, u64{0x80}, u64{0x200}, u64{1} << 40, u64{1} << 63})
    EXPECT_FALSE(lapic.msr_write(0x1b, xapic | reserved)) << std::hex << reserved;
  EXPECT_TRUE(lapic.msr_write(0x1b, 0xfed00000 | kEnable));
  EXPECT_EQ(core.base_phys, 0xfed00000u);
  EXPECT_TRUE(core.mmio_enabled);
}

TEST_F(LapicTest, DisablingResetsTheRegisters) {
  enable();
  raise(0x41);
  EXPECT_TRUE(lapic.msr_write(0x1b, kBase));
  EXPECT_FALSE(lapic.interrupt_pending());
  EXPECT_TRUE(lapic.msr_write(0x1b, kBase | kEnable));
  EXPECT_EQ(read(kSvr), 0xffu);
  EXPECT_FALSE(irr(0x41));
}

TEST_F(LapicTest, X2ApicKeepsStateAndMovesToMsrs) {
  enable();
  write(kTpr, 0x20);
  raise(0x41);
  u64 value = 0;
  EXPECT_FALSE(lapic.msr_read(0x802, value)) << "no MSRs in xAPIC mode";
  EXPECT_FALSE(lapic.msr_write(0x808, 0));
  go_x2apic();
  EXPECT_EQ(msr(0x802), 0u);
  EXPECT_EQ(msr(0x803), 0x01050014u);
  EXPECT_EQ(msr(0x808), 0x20u);
  EXPECT_EQ(msr(0x80d), 1u);
  EXPECT_EQ(msr(0x822), 2u) << "IRR 5Fh:40h";
  EXPECT_EQ(lapic.acknowledge_interrupt(), 0x41);
  EXPECT_EQ(msr(0x812), 2u);
  EXPECT_EQ(msr(0x80a), 0x40u);
  EXPECT_TRUE(lapic.msr_write(0x80b, 0));
  EXPECT_EQ(msr(0x812), 0u);
}

TEST_F(LapicTest, X2ApicIllegalAccesses) {
  go_x2apic();
  u64 value = 0;
  for (u32 none : {0x800u, 0x801u, 0x809u, 0x80bu, 0x80cu, 0x80eu, 0x831u, 0x83au, 0x83fu, 0x82fu})
    EXPECT_FALSE(lapic.msr_read(none, value)) << std::hex << none;
  for (u32 read_only : {0x802u, 0x803u, 0x80au, 0x80du, 0x810u, 0x818u, 0x820u, 0x831u, 0x839u, 0x80eu})
    EXPECT_FALSE(lapic.msr_write(read_only, 0)) << std::hex << read_only;
  for (auto [msr_number, bits] : {std::pair<u32, u64>{0x808, 0x100},
                                  {0x80b, 1},
                                  {0x80f, 0x400},
                                  {0x828, 1},
                                  {0x830, 0x100000},
                                  {0x832, 0x100},
                                  {0x835, 0x800},
                                  {0x838, u64{1} << 32},
                                  {0x83e, 4},
                                  {0x83f, 0x100}})
    EXPECT_FALSE(lapic.msr_write(msr_number, bits)) << std::hex << msr_number;
}

TEST_F(LapicTest, X2ApicIcrAndSelfIpi) {
  go_x2apic();
  EXPECT_TRUE(lapic.msr_write(0x80f, 0x1ff));
  EXPECT_TRUE(lapic.msr_write(0x830, u64{0x12345} << 32 | 0x4041));
  ASSERT_EQ(fabric.messages.size(), 1u);
  EXPECT_EQ(fabric.messages[0].destination, 0x12345u);
  EXPECT_EQ(msr(0x830), u64{0x12345} << 32 | 0x4041);
  EXPECT_TRUE(lapic.msr_write(0x83f, 0x66));
  EXPECT_EQ(msr(0x823), 1u << 6);
}

TEST(LapicMatching, PhysicalFlatClusterAndX2Apic) {
  Board board(5);
  Lapic& lapic = board.lapic;
  const auto matches = [&](DestinationMode mode, u32 destination) {
    return lapic.matches({.destination = destination, .destination_mode = mode});
  };
  constexpr auto kPhysical = DestinationMode::Physical;
  constexpr auto kLogical = DestinationMode::Logical;
  EXPECT_TRUE(matches(kPhysical, 5));
  EXPECT_FALSE(matches(kPhysical, 4));
  EXPECT_TRUE(matches(kPhysical, kApicBroadcast));
  mmio32(lapic, kLdr, 0x20000000);
  EXPECT_TRUE(matches(kLogical, 0x24));
  EXPECT_FALSE(matches(kLogical, 0x10));
  mmio32(lapic, kDfr, 0);
  mmio32(lapic, kLdr, 0x32000000);
  EXPECT_TRUE(matches(kLogical, 0x32));
  EXPECT_FALSE(matches(kLogical, 0x22));
  EXPECT_FALSE(matches(kLogical, 0x31));
  EXPECT_TRUE(matches(kLogical, 0xf2));
  ASSERT_TRUE(lapic.msr_write(0x1b, kBase | kEnable | kExtended));
  u64 ldr = 0;
  ASSERT_TRUE(lapic.msr_read(0x80d, ldr));
  EXPECT_EQ(ldr, 0x20u);
  EXPECT_TRUE(matches(kLogical, 0x30));
  EXPECT_FALSE(matches(kLogical, 0x10020));
  ASSERT_TRUE(lapic.msr_write(0x1b, kBase));
  EXPECT_FALSE(matches(kPhysical, kApicBroadcast));
}

TEST(LapicMatching, X2ApicLogicalIdOfALaterCluster) {
  Board board(0x23);
  ASSERT_TRUE(board.lapic.msr_write(0x1b, kBase | kEnable | kExtended));
  u64 ldr = 0;
  ASSERT_TRUE(board.lapic.msr_read(0x80d, ldr));
  EXPECT_EQ(ldr, 0x20008u);
}

TEST_F(LapicTest, RoundTripMidTimer) {
  enable();
  write(kLvtTimer, 0x20031);
  write(kInitial, 5000);
  raise(0x71, TriggerMode::Level);
  lapic.acknowledge_interrupt();
  raise(0x81);
  clock.step(3000);
  const auto bytes = saved(lapic);
  Board other;
  other.clock.step(3000);
  ASSERT_TRUE(load(other.lapic, bytes));
  EXPECT_EQ(saved(other.lapic), bytes);
  EXPECT_TRUE(other.lapic.interrupt_pending());
  other.clock.step(7000);
  clock.step(7000);
  EXPECT_TRUE(irr(0x31));
  EXPECT_EQ(saved(other.lapic), saved(lapic));
}

TEST_F(LapicTest, WrongWidthsAreHarmless) {
  enable();
  lapic.mmio_write(kTpr, Width::Byte, 0x55);
  lapic.mmio_write(kTpr + 4, Width::Dword, 0x55);
  EXPECT_EQ(read(kTpr), 0u);
  write(kTpr, 0x35);
  EXPECT_EQ(lapic.mmio_read(kTpr, Width::Byte), 0x35u);
  EXPECT_EQ(lapic.mmio_read(kTpr + 1, Width::Byte), 0u);
  EXPECT_EQ(lapic.mmio_read(kVersion + 2, Width::Word), 0x0105u);
  EXPECT_EQ(lapic.mmio_read(kVersion + 12, Width::Dword), 0u);
}

TEST_F(LapicTest, Noise) {
  Noise noise(11);
  for (int i = 0; i < 200000; ++i) {
    switch (noise.below(12)) {
      case 0: lapic.set_irq(noise.below(3), noise.below(2)); break;
      case 1:
        if (lapic.interrupt_pending()) lapic.acknowledge_interrupt();
        break;
      case 2: {
        u64 value = 0;
        lapic.msr_read(0x800 + noise.below(0x40), value);
        lapic.msr_write(0x800 + noise.below(0x40), noise.value64() & noise.value64());
        break;
      }
      case 3:
        lapic.accept(static_cast<DeliveryMode>(noise.below(8)), static_cast<u8>(noise.next()),
                     static_cast<TriggerMode>(noise.below(2)));
        break;
      case 4:
        lapic.msr_write(0x6e0, noise.below(2) ? clock.now_ns() + noise.below(5000) : noise.value64());
        break;
      case 5: clock.step(noise.below(5000)); break;
      case 6:
        if (noise.below(50) == 0) lapic.msr_write(0x1b, kBase | noise.below(4) << 10);
        break;
      case 7: write(kSvr, 0x1ff); break;
      case 8:
        if (noise.below(100) == 0) lapic.init_reset();
        break;
      default: noise.page(lapic, 0x1000);
    }
    fabric.messages.clear();
    fabric.exclusions.clear();
    fabric.eois.clear();
    core.start_ups.clear();
  }
  Board other;
  other.clock.step(clock.now_ns());
  ASSERT_TRUE(load(other.lapic, saved(lapic)));
  EXPECT_EQ(saved(other.lapic), saved(lapic));
  EXPECT_EQ(other.lapic.interrupt_pending(), lapic.interrupt_pending());
  EXPECT_FALSE(lapic.debug_dump().empty());
}

}  // namespace
}  // namespace reprise::devices
