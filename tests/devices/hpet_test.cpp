#include "devices/timer/hpet.h"

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kCaps = 0x00, kConfig = 0x10, kStatus = 0x20, kCounter = 0xf0;
constexpr u64 timer_config(unsigned n) { return 0x100 + 0x20 * n; }
constexpr u64 comparator(unsigned n) { return 0x108 + 0x20 * n; }
constexpr unsigned kIrq0 = 32, kIrq8 = 33;

struct Board {
  FakeClock clock;
  FakeWires wires;
  Hpet hpet{clock, wires, wires.line(kIrq0), wires.line(kIrq8)};
};

class HpetTest : public ::testing::Test, protected Board {
 protected:
  u32 read(u64 offset) { return mmio32(hpet, offset); }
  u64 read64(u64 offset) { return hpet.mmio_read(offset, Width::Qword); }
  void write(u64 offset, u32 value) { mmio32(hpet, offset, value); }
  void write64(u64 offset, u64 value) { hpet.mmio_write(offset, Width::Qword, value); }
};

TEST_F(HpetTest, Capabilities) {
  EXPECT_EQ(read64(kCaps), 0x009896808086a201u);
  EXPECT_EQ(read(kCaps + 4), 10'000'000u) << "femtoseconds";
  write64(kCaps, 0);
  EXPECT_EQ(read64(kCaps), 0x009896808086a201u);
  for (unsigned i = 0; i < Hpet::kTimers; ++i) {
    EXPECT_EQ(read64(timer_config(i)), 0x00f0000000000030u);
    EXPECT_EQ(read64(comparator(i)), ~u64{0});
    EXPECT_EQ(read64(timer_config(i) + 0x10), 0u) << "no FSB route";
  }
  EXPECT_EQ(read(0x160), 0u);
  EXPECT_EQ(read(0x3f8), 0u);
}

TEST_F(HpetTest, CounterRunsWhileEnabled) {
  clock.step(1000);
  EXPECT_EQ(read64(kCounter), 0u);
  write(kConfig, 1);
  clock.step(1234);
  EXPECT_EQ(read64(kCounter), 123u);
  write(kConfig, 0);
  clock.step(1000);
  EXPECT_EQ(read64(kCounter), 123u);
  write64(kCounter, 0xfffffffe);
  write(kConfig, 1);
  clock.step(30);
  EXPECT_EQ(read64(kCounter), 0x100000001u);
  EXPECT_EQ(read(kCounter + 4), 1u);
}

TEST_F(HpetTest, OnlyReadsOfTheCounterTakeLonger) {
  for (u64 offset = 0; offset < 0x400; offset += 8) {
    if (offset != kCounter) read64(offset);
  }
  write64(kCounter, 5);
  EXPECT_EQ(clock.stalled_ns, 0u);
  read64(kCounter);
  const u64 once_ns = clock.stalled_ns;
  EXPECT_GE(once_ns, 100u);
  read(kCounter);
  read(kCounter + 4);
  EXPECT_EQ(clock.stalled_ns, 3 * once_ns);
}

TEST_F(HpetTest, WritableBits) {
  write(kConfig, 0xffffffff);
  EXPECT_EQ(read(kConfig), 3u);
  write64(timer_config(2), ~u64{0});
  EXPECT_EQ(read64(timer_config(2)), 0x00f0000000000030u | 0x14e) << "route 31 does not stick";
  write(timer_config(2), 21 << 9);
  EXPECT_EQ(read(timer_config(2)), 0x30u | 21 << 9);
  write(timer_config(2), 5 << 9);
  EXPECT_EQ(read(timer_config(2)), 0x30u | 21 << 9);
  hpet.mmio_write(kConfig, Width::Byte, 0);
  EXPECT_EQ(read(kConfig), 3u) << "narrow writes are dropped";
  EXPECT_EQ(hpet.mmio_read(kCaps + 2, Width::Word), 0x8086u);
}

TEST_F(HpetTest, OneShotEdge) {
  write(timer_config(0), 0x4 | 20 << 9);
  write64(comparator(0), 100);
  write(kConfig, 1);
  clock.step(999);
  EXPECT_EQ(wires.rises(20), 0);
  clock.step(1);
  EXPECT_EQ(wires.rises(20), 1);
  EXPECT_FALSE(wires.level(20)) << "a pulse";
  EXPECT_EQ(read(kStatus), 0u);
  clock.step(1'000'000'000);
  EXPECT_EQ(wires.rises(20), 1);
}

TEST_F(HpetTest, ThirtyTwoBitOneShotComesAgainAfterTheWrap) {
  write(timer_config(0), 0x104 | 20 << 9);
  write(comparator(0), 100);
  write(kConfig, 1);
  clock.step(1000);
  EXPECT_EQ(wires.rises(20), 1);
  clock.step((u64{1} << 32) * 10 - 1);
  EXPECT_EQ(wires.rises(20), 1);
  clock.step(1);
  EXPECT_EQ(wires.rises(20), 2);
}

TEST_F(HpetTest, APassedComparatorDoesNotFire) {
  write(kConfig, 1);
  clock.step(10000);
  write(timer_config(0), 0x4 | 20 << 9);
  write64(comparator(0), 999);
  clock.step(1'000'000);
  EXPECT_EQ(wires.rises(20), 0);
  write64(comparator(0), read64(kCounter));
  clock.step(1);
  EXPECT_EQ(wires.rises(20), 1) << "equal at the write";
}

TEST_F(HpetTest, LevelHoldsUntilCleared) {
  write(timer_config(1), 0x6 | 22 << 9);
  write64(comparator(1), 100);
  write(kConfig, 1);
  clock.step(1000);
  EXPECT_TRUE(wires.level(22));
  EXPECT_EQ(read(kStatus), 2u);
  write(kStatus, 1);
  EXPECT_TRUE(wires.level(22));
  write(timer_config(1), 0x2 | 22 << 9);
  EXPECT_FALSE(wires.level(22)) << "interrupt disabled";
  write(timer_config(1), 0x6 | 23 << 9);
  EXPECT_TRUE(wires.level(23)) << "and routed elsewhere";
  write(kStatus, 2);
  EXPECT_FALSE(wires.level(23));
  EXPECT_EQ(read(kStatus), 0u);
}

// As Linux programs it (hpet_set_periodic): VAL_SET, first the accumulator, then the period.
TEST_F(HpetTest, PeriodicAsLinuxProgramsIt) {
  write(kConfig, 3);
  clock.step(5000);
  write(timer_config(0), 0x14c);
  write(comparator(0), 500 + 1000);
  write(comparator(0), 1000);
  clock.step(9999);
  EXPECT_EQ(wires.rises(kIrq0), 0);
  clock.step(1);
  EXPECT_EQ(wires.rises(kIrq0), 1);
  EXPECT_EQ(read(comparator(0)), 2500u);
  clock.step(10'000'000);
  EXPECT_EQ(wires.rises(kIrq0), 1001);
}

TEST_F(HpetTest, TinyPeriodsAreBounded) {
  write(timer_config(0), 0x4c | 20 << 9);
  write64(comparator(0), 1);
  write64(comparator(0), 1);
  write(kConfig, 1);
  clock.step(1'000'000);
  EXPECT_LE(clock.events(), 1002u);
  EXPECT_GE(wires.rises(20), 999);
  write(timer_config(0), 0x4c | 20 << 9);
  write64(comparator(0), 1);
  write64(comparator(0), 0);
  clock.step(1'000'000);
  EXPECT_LE(clock.events(), 1003u) << "a period of zero is no period";
}

TEST_F(HpetTest, LegacyReplacementCutsOffPitAndRtc) {
  hpet.set_irq(0, true);
  EXPECT_TRUE(wires.level(kIrq0));
  hpet.set_irq(1, true);
  EXPECT_TRUE(wires.level(kIrq8));
  write(kConfig, 3);
  EXPECT_FALSE(wires.level(kIrq0));
  EXPECT_FALSE(wires.level(kIrq8));
  hpet.set_irq(0, false);
  hpet.set_irq(0, true);
  EXPECT_EQ(wires.rises(kIrq0), 1);
  write(timer_config(1), 0x4 | 20 << 9);
  write64(comparator(1), read64(kCounter) + 10);
  clock.step(100);
  EXPECT_EQ(wires.rises(kIrq8), 2) << "timer 1 is IRQ8, whatever its route";
  EXPECT_EQ(wires.rises(20), 0);
  write(kConfig, 1);
  EXPECT_TRUE(wires.level(kIrq0)) << "the PIT is back";
}

TEST_F(HpetTest, ALegacyEdgeStandsUntilTheNext) {
  write(timer_config(0), 0x4c);
  write64(comparator(0), 100);
  write64(comparator(0), 100);
  write(kConfig, 3);
  clock.step(1'000);
  EXPECT_EQ(wires.rises(kIrq0), 1);
  EXPECT_TRUE(wires.level(kIrq0)) << "the 8259 forgets a request that drops";
  clock.step(1'000);
  EXPECT_EQ(wires.rises(kIrq0), 2);
  EXPECT_TRUE(wires.level(kIrq0));
  write(timer_config(0), 0x48);
  EXPECT_FALSE(wires.level(kIrq0)) << "no interrupts";
}

TEST_F(HpetTest, DisablingHoldsEverything) {
  write(timer_config(0), 0x6 | 20 << 9);
  write64(comparator(0), 100);
  write(kConfig, 1);
  clock.step(500);
  write(kConfig, 0);
  clock.step(10000);
  EXPECT_FALSE(wires.level(20));
  write(kConfig, 1);
  clock.step(499);
  EXPECT_FALSE(wires.level(20));
  clock.step(1);
  EXPECT_TRUE(wires.level(20));
  write(kConfig, 0);
  EXPECT_FALSE(wires.level(20));
}

TEST_F(HpetTest, Reset) {
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    write(timer_config(0), 0x6 | 20 << 9);
    write64(comparator(0), 10);
    write(kConfig, 3);
    clock.step(1000);
    hpet.reset(kind);
    EXPECT_EQ(read(kConfig), 0u);
    EXPECT_EQ(read64(kCounter), 0u);
    EXPECT_EQ(read(kStatus), 0u);
    EXPECT_EQ(read64(comparator(0)), ~u64{0});
    EXPECT_FALSE(wires.level(20));
    EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
  }
}

TEST_F(HpetTest, RoundTripMidPeriod) {
  write(timer_config(0), 0x4c | 20 << 9);
  write64(comparator(0), 1000);
  write64(comparator(0), 777);
  write(timer_config(1), 0x6 | 21 << 9);
  write64(comparator(1), 50);
  write(kConfig, 1);
  clock.step(123456);
  const auto bytes = saved(hpet);
  Board other;
  other.clock.run_until(clock.now_ns());
  ASSERT_TRUE(load(other.hpet, bytes));
  EXPECT_EQ(saved(other.hpet), bytes);
  const int before = wires.rises(20);
  clock.step(1'000'000);
  other.clock.step(1'000'000);
  EXPECT_EQ(saved(other.hpet), saved(hpet));
  EXPECT_EQ(other.wires.rises(20), wires.rises(20) - before);
}

TEST_F(HpetTest, Noise) {
  Noise noise(1000);
  for (int i = 0; i < 100000; ++i) {
    switch (noise.below(6)) {
      case 0: clock.step(noise.below(20000)); break;
      case 1: hpet.set_irq(noise.below(3), noise.below(2)); break;
      case 2: write(kConfig, noise.below(4)); break;
      default: noise.page(hpet, 0x180);
    }
  }
  Board other;
  other.clock.jump(clock.now_ns());
  ASSERT_TRUE(load(other.hpet, saved(hpet)));
  EXPECT_EQ(saved(other.hpet), saved(hpet));
  EXPECT_FALSE(hpet.debug_dump().empty());
}

}  // namespace
}  // namespace reprise::devices
