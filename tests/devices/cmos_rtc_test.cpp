#include "devices/timer/cmos_rtc.h"

#include <fmt/format.h>

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kSecond = 1'000'000'000;
constexpr u64 kUpdateNs = 2'228'000;
constexpr i64 kBase = 1'709'251'196;  // Thursday, 2024-02-29 23:59:56 UTC

struct Board {
  explicit Board(i64 base = kBase) : rtc({.base_unix_seconds = base}, clock, wires.line(8), wires.line(9)) {}
  FakeClock clock;
  FakeWires wires;
  CmosRtc rtc;
};

class CmosRtcTest : public ::testing::Test, protected Board {
 protected:
  u8 read(u8 index) { return out8(rtc.ports(), 0, index), in8(rtc.ports(), 1); }
  void write(u8 index, u8 value) { out8(rtc.ports(), 0, index), out8(rtc.ports(), 1, value); }
  /// Century, year, month, day, day of week, hour, minute, second.
  std::string now() {
    std::string text;
    for (u8 index : {0x32, 9, 8, 7, 6, 4, 2, 0}) text += fmt::format("{:02x} ", read(index));
    return text;
  }
  bool irq() const { return wires.level(8); }
};

TEST_F(CmosRtcTest, TimeComesFromTheConfigAndVirtualTime) {
  EXPECT_EQ(now(), "20 24 02 29 05 23 59 56 ");
  clock.step(4 * kSecond - 1);
  EXPECT_EQ(now(), "20 24 02 29 05 23 59 59 ");
  clock.step(1);
  EXPECT_EQ(now(), "20 24 03 01 06 00 00 00 ");
  clock.step(kSecond * 86400 * 366);
  EXPECT_EQ(now(), "20 25 03 02 01 00 00 00 ");
}

TEST_F(CmosRtcTest, CalendarEdges) {
  for (auto [base, expected] : {std::pair<i64, const char*>{0, "19 70 01 01 05 00 00 00 "},
                                {946684799, "19 99 12 31 06 23 59 59 "},
                                {946684800, "20 00 01 01 07 00 00 00 "},
                                {951782400, "20 00 02 29 03 00 00 00 "},
                                {4107542400, "21 00 03 01 02 00 00 00 "},
                                {-5, "19 70 01 01 05 00 00 00 "},
                                {253402300799, "99 99 12 31 06 23 59 59 "}}) {
    Board board(base);
    std::string text;
    for (u8 index : {0x32, 9, 8, 7, 6, 4, 2, 0}) {
      out8(board.rtc.ports(), 0, index);
      text += fmt::format("{:02x} ", in8(board.rtc.ports(), 1));
    }
    EXPECT_EQ(text, expected) << base;
  }
}

TEST_F(CmosRtcTest, TwelveHourAndBinaryFormats) {
  write(0x0b, 0x80);  // SET, BCD, 12 hours
  for (u8 index : {0, 2}) write(index, 0x59);
  write(4, 0x91);  // 11 PM
  write(7, 0x31);
  write(8, 0x12);
  write(9, 0x99);
  write(0x0b, 0x00);
  clock.step(kSecond);
  EXPECT_EQ(read(4), 0x12) << "midnight is 12 AM";
  EXPECT_EQ(read(9), 0x00);
  EXPECT_EQ(read(0x32), 0x21);
  clock.step(12 * 3600 * kSecond);
  EXPECT_EQ(read(4), 0x92) << "noon is 12 PM";
  write(0x0b, 0x86);  // binary, 24 hours
  write(0, 59);
  write(2, 59);
  write(4, 23);
  write(7, 28);
  write(8, 2);
  write(9, 26);
  write(0x32, 20);
  write(0x0b, 0x06);
  clock.step(kSecond);
  EXPECT_EQ(read(7), 1);
  EXPECT_EQ(read(8), 3);
  EXPECT_EQ(read(4), 0);
}

TEST_F(CmosRtcTest, UpdateInProgressAtExactTimes) {
  clock.run_until(kSecond - kUpdateNs - 1);
  EXPECT_EQ(read(0x0a), 0x26);
  clock.step(1);
  EXPECT_EQ(read(0x0a), 0xa6);
  clock.run_until(kSecond - 1);
  EXPECT_EQ(read(0x0a), 0xa6);
  EXPECT_EQ(read(0), 0x56);
  clock.step(1);
  EXPECT_EQ(read(0x0a), 0x26);
  EXPECT_EQ(read(0), 0x57);
}

TEST_F(CmosRtcTest, SetHoldsTheTime) {
  write(0x0b, 0x92);
  EXPECT_EQ(read(0x0b), 0x82) << "SET clears UIE";
  clock.run_until(10 * kSecond - 1);
  EXPECT_EQ(read(0), 0x56);
  EXPECT_EQ(read(0x0a), 0x26) << "no update, no UIP";
  write(0x0b, 0x02);
  clock.step(1);
  EXPECT_EQ(read(0), 0x57) << "the divider ran on";
}

TEST_F(CmosRtcTest, DividerResetPutsTheFirstUpdateHalfASecondAway) {
  clock.step(kSecond / 4);
  write(0x0a, 0x76);
  clock.step(10 * kSecond);
  EXPECT_EQ(read(0), 0x56);
  write(0x0a, 0x26);
  clock.step(kSecond / 2 - 1);
  EXPECT_EQ(read(0), 0x56);
  clock.step(1);
  EXPECT_EQ(read(0), 0x57);
  clock.step(kSecond);
  EXPECT_EQ(read(0), 0x58);
}

TEST_F(CmosRtcTest, UpdateEndedInterrupt) {
  write(0x0b, 0x12);
  clock.run_until(kSecond - 1);
  EXPECT_FALSE(irq());
  clock.step(1);
  EXPECT_TRUE(irq());
  clock.step(2 * kSecond);
  EXPECT_EQ(wires.rises(8), 1) << "until register C is read";
  EXPECT_EQ(read(0x0c), 0xd0) << "IRQF and UF, and PF although it interrupts nobody";
  EXPECT_FALSE(irq());
}

TEST_F(CmosRtcTest, FlagsShowWithoutTheirInterrupts) {
  read(0x0c);
  clock.step(kSecond);
  EXPECT_EQ(read(0x0c), 0x50) << "PF at 1024 Hz and UF, no IRQF";
  EXPECT_EQ(read(0x0c), 0x00);
  EXPECT_FALSE(irq());
  EXPECT_EQ(clock.events(), 0u) << "no interrupts enabled, no events";
}

TEST_F(CmosRtcTest, PeriodicInterruptRates) {
  for (auto [rate, hz] : {std::pair<u8, int>{1, 256}, {2, 128}, {3, 8192}, {6, 1024}, {10, 64}, {15, 2}}) {
    write(0x0a, 0x20 | rate);
    read(0x0c);
    write(0x0b, 0x42);
    int count = 0;
    const u64 end = (clock.now_ns() / kSecond + 2) * kSecond;
    while (clock.next_deadline_ns() <= end) {
      clock.run_until(clock.next_deadline_ns());
      EXPECT_TRUE(irq());
      EXPECT_EQ(read(0x0c) & 0xc0, 0xc0);
      ++count;
    }
    EXPECT_EQ(count, 2 * hz) << int{rate};
    write(0x0b, 0x02);
    clock.run_until(end);
  }
  write(0x0a, 0x20);
  write(0x0b, 0x42);
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever) << "rate 0";
}

TEST_F(CmosRtcTest, AlarmMatchesAllThreeBytes) {
  write(1, 0x30);
  write(3, 0x02);
  write(5, 0x01);
  read(0x0c);
  write(0x0b, 0x22);
  // 01:02:30 is 1 h 2 min 34 s after 23:59:56.
  const u64 alarm = (3600 + 120 + 34) * kSecond;
  EXPECT_EQ(clock.next_deadline_ns(), alarm);
  clock.run_until(alarm);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(0x0c) & 0xb0, 0xb0);
  EXPECT_EQ(clock.next_deadline_ns(), alarm + 86400 * kSecond);
}

TEST_F(CmosRtcTest, AlarmDontCareBytes) {
  write(1, 0x00);
  write(3, 0xff);
  write(5, 0xc0);
  write(0x0b, 0x22);
  EXPECT_EQ(clock.next_deadline_ns(), 4 * kSecond);
  write(1, 0xff);
  EXPECT_EQ(clock.next_deadline_ns(), 1 * kSecond);
  write(1, 0x99);
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever) << "there is no such second";
  write(1, 0x00);
  write(3, 0x77);
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
}

TEST_F(CmosRtcTest, AlarmFlagIsSeenByPolling) {
  write(1, 0x10);
  write(3, 0x00);
  write(5, 0x00);
  clock.step(10 * kSecond);
  EXPECT_EQ(read(0x0c) & 0x20, 0);
  clock.step(1000 * kSecond);
  EXPECT_EQ(read(0x0c) & 0x20, 0x20);
}

TEST_F(CmosRtcTest, MemoryAndReadOnlyRegisters) {
  for (int index = 0x0e; index < 0x80; ++index) {
    if (index == 0x32) continue;
    write(static_cast<u8>(index), static_cast<u8>(index ^ 0x5a));
    EXPECT_EQ(read(static_cast<u8>(index)), index ^ 0x5a);
  }
  write(0x0d, 0);
  EXPECT_EQ(read(0x0d), 0x80);
  write(0x0c, 0xff);
  EXPECT_EQ(read(0x0c), 0);
  rtc.set_memory(0x15, 0x80);
  EXPECT_EQ(read(0x15), 0x80);
  EXPECT_EQ(in8(rtc.ports(), 0), 0xff);
}

TEST_F(CmosRtcTest, NmiMaskBitIsNoPartOfTheIndex) {
  write(0x0f, 0x5a);
  out8(rtc.ports(), 0, 0x8f);
  EXPECT_EQ(in8(rtc.ports(), 1), 0x5a);
}

TEST_F(CmosRtcTest, ResetStopsInterruptsAndKeepsTheTime) {
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    write(0x20, 0x77);
    write(0x0b, 0x72);
    clock.step(kSecond);
    EXPECT_TRUE(irq());
    rtc.reset(kind);
    EXPECT_FALSE(irq());
    EXPECT_EQ(read(0x0b), 0x02);
    EXPECT_EQ(read(0x0c), 0x00);
    EXPECT_EQ(read(0x20), 0x77);
  }
  EXPECT_EQ(read(0), 0x58);
}

TEST_F(CmosRtcTest, NonsenseInTheTimeRegistersStaysDefined) {
  for (u8 index : {0, 2, 4, 6, 7, 8, 9, 0x32}) write(index, 0xff);
  clock.step(3 * kSecond);
  for (u8 index : {0, 2, 4, 6, 7, 8, 9, 0x32}) EXPECT_NE(read(index), 0xff) << int{index};
  EXPECT_LE(read(8), 0x12);
}

TEST_F(CmosRtcTest, RoundTripBetweenInterrupts) {
  write(0x0b, 0x42);
  write(0x0a, 0x28);
  clock.step(1'234'567'890);
  const auto bytes = saved(rtc);
  Board other(0);
  other.clock.run_until(clock.now_ns());
  ASSERT_TRUE(load(other.rtc, bytes));
  EXPECT_EQ(saved(other.rtc), bytes);
  clock.step(5 * kSecond);
  other.clock.step(5 * kSecond);
  EXPECT_EQ(saved(other.rtc), saved(rtc));
}

TEST_F(CmosRtcTest, Noise) {
  Noise noise(146818);
  for (int i = 0; i < 100000; ++i) {
    if (noise.below(4) == 0) clock.step(noise.below(noise.below(100) ? 2'000'000 : 4'000'000'000));
    if (noise.below(20) == 0) write(0x0a, 0x20 | noise.below(16));
    noise.ports(rtc.ports(), 2, Width::Byte);
  }
  Board other;
  other.clock.jump(clock.now_ns());
  ASSERT_TRUE(load(other.rtc, saved(rtc)));
  EXPECT_EQ(saved(other.rtc), saved(rtc));
  EXPECT_FALSE(rtc.debug_dump().empty());
}

}  // namespace
}  // namespace reprise::devices
