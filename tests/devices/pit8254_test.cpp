#include "devices/timer/pit8254.h"

#include "devices/timer_state.h"
#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

struct Board {
  FakeClock clock;
  FakeWires wires;
  Pit8254 pit{clock, wires.line(0)};
};

class Pit8254Test : public ::testing::Test, protected Board {
 protected:
  /// Moves time to the first nanosecond of 8254 clock `clocks` from now's clock.
  void step_clocks(u64 clocks) {
    const u64 target = ns_to_clocks(clock.now_ns(), kPitHz) + clocks;
    clock.run_until(clocks_to_ns(target, kPitHz));
  }
  void control(u8 value) { out8(pit.counter_ports(), 3, value); }
  void count(u16 channel, u16 value) {
    out8(pit.counter_ports(), channel, value & 0xff);
    out8(pit.counter_ports(), channel, value >> 8);
  }
  u16 latched(u16 channel) {
    control(static_cast<u8>(channel << 6));
    const u8 low = in8(pit.counter_ports(), channel);
    return static_cast<u16>(low | in8(pit.counter_ports(), channel) << 8);
  }
  u8 status(u16 channel) {
    control(static_cast<u8>(0xe0 | 2 << channel));
    return in8(pit.counter_ports(), channel);
  }
  bool out(u16 channel) { return status(channel) & 0x80; }
  void gate2(bool level) { out8(pit.port61(), 0, level ? 1 : 0); }
};

TEST_F(Pit8254Test, Mode0CountsOnceAndRaisesIrq0) {
  control(0x30);
  EXPECT_FALSE(wires.level(0));
  count(0, 100);
  EXPECT_EQ(status(0), 0x70) << "null count until the load clock";
  step_clocks(1);
  EXPECT_EQ(status(0), 0x30);
  EXPECT_EQ(latched(0), 100);
  step_clocks(99);
  EXPECT_EQ(latched(0), 1);
  EXPECT_FALSE(wires.level(0));
  step_clocks(1);
  EXPECT_TRUE(wires.level(0)) << "N + 1 clocks after the write";
  EXPECT_EQ(latched(0), 0);
  step_clocks(1);
  EXPECT_EQ(latched(0), 0xffff) << "counts on";
  step_clocks(100000);
  EXPECT_EQ(wires.rises(0), 1);
  out8(pit.counter_ports(), 0, 5);  // half a count pulls OUT low
  EXPECT_FALSE(wires.level(0));
  step_clocks(100);
  out8(pit.counter_ports(), 0, 0);
  step_clocks(6);
  EXPECT_TRUE(wires.level(0));
}

TEST_F(Pit8254Test, Mode2PeriodIsExactOverSeconds) {
  control(0x34);
  count(0, 1193);
  const u64 loaded = ns_to_clocks(clock.now_ns(), kPitHz) + 1;
  clock.run_until(10'000'000'000);
  const u64 elapsed = ns_to_clocks(clock.now_ns(), kPitHz) - loaded;
  EXPECT_EQ(wires.falls(0), static_cast<int>((elapsed + 1) / 1193));
  EXPECT_EQ(wires.rises(0), 1 + static_cast<int>(elapsed / 1193)) << "and one from the control word";
}

TEST_F(Pit8254Test, Mode2OutIsLowForOneClock) {
  control(0x34);
  count(0, 4);
  step_clocks(1);
  const char* expected = "1110111011101110";
  std::string seen, counts;
  for (int i = 0; i < 16; ++i) {
    seen += wires.level(0) ? '1' : '0';
    counts += static_cast<char>('0' + latched(0));
    step_clocks(1);
  }
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(counts, "4321432143214321");
}

TEST_F(Pit8254Test, Mode2NewCountWaitsForTheEndOfTheCycle) {
  control(0x34);
  count(0, 10);
  step_clocks(1 + 3);
  count(0, 4);
  EXPECT_TRUE(status(0) & 0x40);
  EXPECT_EQ(latched(0), 7);
  step_clocks(6);
  EXPECT_EQ(latched(0), 1);
  step_clocks(1);
  EXPECT_EQ(latched(0), 4);
  EXPECT_FALSE(status(0) & 0x40);
  step_clocks(4);
  EXPECT_EQ(latched(0), 4);
}

TEST_F(Pit8254Test, Mode3SquareWaveEvenAndOdd) {
  for (auto [n, wave, values] : {std::tuple{4, "11001100", "42424242"}, {5, "1110011100", "4204242042"}}) {
    control(0x36);
    count(0, static_cast<u16>(n));
    step_clocks(1);
    std::string seen, counts;
    for (std::size_t i = 0; i < std::string(wave).size(); ++i) {
      seen += out(0) ? '1' : '0';
      counts += static_cast<char>('0' + latched(0));
      step_clocks(1);
    }
    EXPECT_EQ(seen, wave);
    EXPECT_EQ(counts, values);
  }
}

TEST_F(Pit8254Test, Mode3NewCountTakesOverAtHalfCycle) {
  control(0x36);
  count(0, 10);
  step_clocks(1 + 2);
  count(0, 4);
  std::string seen;
  for (int i = 0; i < 10; ++i) {
    seen += out(0) ? '1' : '0';
    step_clocks(1);
  }
  EXPECT_EQ(seen, "1110011001");
}

TEST_F(Pit8254Test, Mode1And5AreTriggeredByTheGate) {
  gate2(false);
  control(0xb2);
  count(2, 3);
  step_clocks(10);
  EXPECT_TRUE(out(2));
  gate2(true);
  step_clocks(1);
  EXPECT_FALSE(out(2));
  step_clocks(2);
  EXPECT_FALSE(out(2));
  step_clocks(1);
  EXPECT_TRUE(out(2));

  gate2(false);
  control(0xba);
  count(2, 3);
  EXPECT_TRUE(out(2));
  gate2(true);
  step_clocks(3);
  EXPECT_TRUE(out(2));
  step_clocks(1);
  EXPECT_FALSE(out(2));
  step_clocks(1);
  EXPECT_TRUE(out(2));
}

TEST_F(Pit8254Test, Mode4StrobesOnce) {
  control(0x38);
  count(0, 5);
  step_clocks(5);
  EXPECT_TRUE(wires.level(0));
  step_clocks(1);
  EXPECT_FALSE(wires.level(0));
  step_clocks(1);
  EXPECT_TRUE(wires.level(0));
  step_clocks(200000);
  EXPECT_EQ(wires.falls(0), 1);
}

TEST_F(Pit8254Test, GateOfChannel2PausesMode0) {
  gate2(true);
  control(0xb0);
  count(2, 100);
  step_clocks(1 + 40);
  gate2(false);
  step_clocks(1000);
  EXPECT_EQ(latched(2), 60);
  gate2(true);
  step_clocks(59);
  EXPECT_EQ(in8(pit.port61(), 0) & 0x20, 0);
  step_clocks(1);
  EXPECT_EQ(in8(pit.port61(), 0) & 0x20, 0x20);
}

TEST_F(Pit8254Test, GateStopsAndReloadsMode2And3) {
  gate2(true);
  control(0xb4);
  count(2, 10);
  step_clocks(1 + 9);
  EXPECT_FALSE(out(2));
  gate2(false);
  EXPECT_TRUE(out(2)) << "OUT goes high at once";
  step_clocks(100);
  gate2(true);
  step_clocks(1);
  EXPECT_EQ(latched(2), 10);
}

// What Linux does to calibrate the TSC (pit_calibrate_tsc): mode 0 on channel 2, gate on, 50 ms, poll OUT2.
TEST_F(Pit8254Test, CalibrationSeesFiftyMilliseconds) {
  out8(pit.port61(), 0, (in8(pit.port61(), 0) & ~2u) | 1);
  control(0xb0);
  const u16 latch = static_cast<u16>(1193182 / 20);
  count(2, latch);
  const u64 start = clock.now_ns();
  while (!(in8(pit.port61(), 0) & 0x20)) clock.step(100);
  EXPECT_NEAR(static_cast<double>(clock.now_ns() - start), 50e6, 2000);
}

TEST_F(Pit8254Test, AccessModesAndLatches) {
  control(0x14);  // low byte only
  out8(pit.counter_ports(), 0, 0x80);
  step_clocks(1);
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x80);
  control(0x24);  // high byte only
  out8(pit.counter_ports(), 0, 0x02);
  step_clocks(1);
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x02);
  control(0x34);
  count(0, 0x1234);
  step_clocks(1);
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x34);
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x12);
  control(0x00);
  step_clocks(3);
  control(0x00);  // the first latch holds
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x34);
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x12);
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x31);
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x12);
  control(0xc2);  // read back: count and status of channel 0
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0xb4) << "status first";
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x31);
  EXPECT_EQ(in8(pit.counter_ports(), 0), 0x12);
  EXPECT_EQ(in8(pit.counter_ports(), 3), 0xff);
}

TEST_F(Pit8254Test, Bcd) {
  control(0x31);
  count(0, 0x0100);
  step_clocks(2);
  EXPECT_EQ(latched(0), 0x0099);
  step_clocks(99 + 1);
  EXPECT_EQ(latched(0), 0x9999);
  count(0, 0);
  step_clocks(2);
  EXPECT_EQ(latched(0), 0x9999) << "0 is 10000";
  EXPECT_EQ(status(0) & 0x3f, 0x31);
}

TEST_F(Pit8254Test, CountZeroIs65536) {
  control(0x34);
  count(0, 0);
  step_clocks(1);
  EXPECT_EQ(latched(0), 0);
  step_clocks(65535);
  EXPECT_FALSE(wires.level(0));
  step_clocks(1);
  EXPECT_TRUE(wires.level(0));
}

TEST_F(Pit8254Test, ALateEventStillShowsThePulse) {
  control(0x34);
  count(0, 100);
  const int rises = wires.rises(0);
  clock.jump(1'000'000);
  clock.step(0);
  EXPECT_GE(wires.rises(0), rises + 11);
}

TEST_F(Pit8254Test, Port61) {
  out8(pit.port61(), 0, 0xff);
  EXPECT_EQ(in8(pit.port61(), 0) & 0xcf, 0x0f);
  int toggles = 0;
  u8 last = in8(pit.port61(), 0) & 0x10;
  for (int i = 0; i < 1000; ++i) {
    clock.step(1000);
    const u8 refresh = in8(pit.port61(), 0) & 0x10;
    if (refresh != last) ++toggles;
    last = refresh;
  }
  EXPECT_NEAR(toggles, 66, 1) << "every 15 us";
}

TEST_F(Pit8254Test, ResetStopsTheCounters) {
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    control(0x34);
    count(0, 10);
    out8(pit.port61(), 0, 3);
    step_clocks(20);
    pit.reset(kind);
    EXPECT_EQ(in8(pit.port61(), 0) & 0x0f, 0);
    EXPECT_FALSE(wires.level(0));
    EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
  }
}

TEST_F(Pit8254Test, RoundTripMidCount) {
  control(0x34);
  count(0, 1000);
  gate2(true);
  control(0xb6);
  count(2, 77);
  out8(pit.counter_ports(), 2, 0x12);  // half a count
  step_clocks(1500);
  control(0x80);
  const auto bytes = saved(pit);
  Board other;
  other.clock.run_until(clock.now_ns());
  ASSERT_TRUE(load(other.pit, bytes));
  EXPECT_EQ(saved(other.pit), bytes);
  for (Board* board : {static_cast<Board*>(this), &other}) {
    out8(board->pit.counter_ports(), 2, 0x01);
    board->clock.step(5'000'000);
  }
  EXPECT_EQ(saved(other.pit), saved(pit));
  EXPECT_EQ(other.wires.rises(0), 6);
}

TEST_F(Pit8254Test, Noise) {
  Noise noise(8254);
  for (int i = 0; i < 200000; ++i) {
    switch (noise.below(6)) {
      case 0: clock.step(noise.below(20000)); break;
      case 1: noise.ports(pit.port61(), 1, Width::Byte); break;
      default: noise.ports(pit.counter_ports(), 4, Width::Byte);
    }
  }
  Board other;
  other.clock.jump(clock.now_ns());
  ASSERT_TRUE(load(other.pit, saved(pit)));
  EXPECT_EQ(saved(other.pit), saved(pit));
  EXPECT_FALSE(pit.debug_dump().empty());
}

TEST_F(Pit8254Test, BrokenStateIsRefused) {
  auto bytes = saved(pit);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto broken = bytes;
    broken[i] = 0xff;
    Board other;
    load(other.pit, broken);
    in8(other.pit.counter_ports(), 0);
    other.clock.step(1'000'000);
  }
  bytes.resize(bytes.size() / 2);
  Board other;
  EXPECT_FALSE(load(other.pit, bytes));
}

}  // namespace
}  // namespace reprise::devices
