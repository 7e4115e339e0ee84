#include "devices/misc/i6300esb.h"

#include "devices/misc/pvpanic.h"
#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kPreload1 = 0, kPreload2 = 4, kInterruptStatus = 8, kReload = 12;
constexpr u64 kSecond = 1'000'000'000;

class I6300EsbTest : public ::testing::Test {
 protected:
  I6300EsbTest() { watchdog.reset(ResetKind::PowerOn); }
  MmioHandler& registers() { return *watchdog.bar(0).memory; }
  void unlock() {
    registers().mmio_write(kReload, Width::Word, 0x80);
    registers().mmio_write(kReload, Width::Word, 0x86);
  }
  void set(u64 offset, Width width, u32 value) {
    unlock();
    registers().mmio_write(offset, width, value);
  }
  /// As Linux does: two stages of `seconds` / 2 each, at 1 kHz.
  void arm(u32 seconds) {
    watchdog.config_write(0x60, Width::Word, 0x0003);
    watchdog.config_write(0x68, Width::Byte, 0);
    set(kPreload1, Width::Dword, seconds << 9);
    set(kPreload2, Width::Dword, seconds << 9);
    watchdog.config_write(0x68, Width::Byte, 0x02);
    feed();
  }
  void feed() { set(kReload, Width::Word, 0x100); }

  FakeClock clock;
  int expired = 0;
  I6300Esb watchdog{clock, [this] { ++expired; }};
};

TEST_F(I6300EsbTest, Identity) {
  EXPECT_EQ(watchdog.config_read(0x00, Width::Dword), 0x25ab8086u);
  EXPECT_EQ(watchdog.config_read(0x0a, Width::Word), 0x0880u);
  watchdog.config_write(0x10, Width::Dword, 0xffffffff);
  EXPECT_EQ(watchdog.config_read(0x10, Width::Dword), 0xfffffff0u);
}

TEST_F(I6300EsbTest, ExpiresAfterTwoStagesUnlessFed) {
  arm(30);
  EXPECT_TRUE(watchdog.running());
  for (int i = 0; i < 5; ++i) {
    clock.step(29 * kSecond);
    feed();
  }
  EXPECT_EQ(expired, 0);
  EXPECT_EQ(registers().mmio_read(kInterruptStatus, Width::Word), 1u) << "stage 1 passed";
  registers().mmio_write(kInterruptStatus, Width::Word, 1);
  EXPECT_EQ(registers().mmio_read(kInterruptStatus, Width::Word), 0u);
  clock.step(30 * kSecond);
  EXPECT_EQ(expired, 0) << "33 MHz / 2^15 is a little more than 1 kHz, 512 a little more than half a second";
  clock.step(kSecond);
  EXPECT_EQ(expired, 1);
  EXPECT_EQ(registers().mmio_read(kReload, Width::Word), 0x200u);
  watchdog.reset(ResetKind::Warm);
  EXPECT_EQ(registers().mmio_read(kReload, Width::Word), 0x200u) << "what the reset was for";
  EXPECT_FALSE(watchdog.running());
  set(kReload, Width::Word, 0x200);
  EXPECT_EQ(registers().mmio_read(kReload, Width::Word), 0u);
  clock.step(1000 * kSecond);
  EXPECT_EQ(expired, 1);
}

TEST_F(I6300EsbTest, WritesNeedTheSequence) {
  registers().mmio_write(kPreload1, Width::Dword, 1);
  EXPECT_EQ(registers().mmio_read(kPreload1, Width::Dword), 0xfffffu);
  registers().mmio_write(kReload, Width::Word, 0x86);
  registers().mmio_write(kReload, Width::Word, 0x80);
  registers().mmio_write(kPreload1, Width::Dword, 1);
  EXPECT_EQ(registers().mmio_read(kPreload1, Width::Dword), 0xfffffu);
  set(kPreload1, Width::Dword, 0xfff12345);
  EXPECT_EQ(registers().mmio_read(kPreload1, Width::Dword), 0x12345u) << "20 bits";
  registers().mmio_write(kPreload1, Width::Dword, 2);
  EXPECT_EQ(registers().mmio_read(kPreload1, Width::Dword), 0x12345u) << "locked again";
}

TEST_F(I6300EsbTest, DisablingLockingAndOutput) {
  arm(2);
  watchdog.config_write(0x68, Width::Byte, 0);
  clock.step(10 * kSecond);
  EXPECT_EQ(expired, 0);
  watchdog.config_write(0x68, Width::Byte, 0x03);
  watchdog.config_write(0x68, Width::Byte, 0x00);
  EXPECT_EQ(watchdog.config_read(0x68, Width::Byte), 3u) << "locked";
  watchdog.config_write(0x60, Width::Word, 0x0020);
  clock.step(10 * kSecond);
  EXPECT_EQ(expired, 0) << "output disabled";
  watchdog.reset(ResetKind::Warm);
  EXPECT_EQ(watchdog.config_read(0x68, Width::Byte), 0u);
}

TEST_F(I6300EsbTest, FreeRunningAndFastPrescaler) {
  watchdog.config_write(0x60, Width::Word, 0x0004);
  set(kPreload1, Width::Dword, 1000);
  set(kPreload2, Width::Dword, 0);
  watchdog.config_write(0x68, Width::Byte, 0x06);
  clock.step(1'000'000);  // 1000 * 2^5 / 33 MHz = 970 us
  EXPECT_EQ(expired, 1);
  clock.step(1'000'000);
  EXPECT_EQ(expired, 2);
}

TEST_F(I6300EsbTest, SaveAndLoad) {
  arm(2);
  clock.step(kSecond + kSecond / 2);
  const std::vector<u8> state = saved(watchdog);
  int other_expired = 0;
  I6300Esb other(clock, [&] { ++other_expired; });
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  clock.step(kSecond);
  EXPECT_EQ(other_expired, 1);
  EXPECT_EQ(expired, 1);
}

TEST_F(I6300EsbTest, Noise) {
  Noise noise(5301);
  for (int i = 0; i < 100'000; ++i) {
    if (noise.below(3) == 0)
      watchdog.config_write(static_cast<u8>(0x60 + noise.below(12)), Width::Byte, noise.value() & 0xff);
    if (noise.below(3) == 0) unlock();
    noise.page(registers(), 16);
    if (noise.below(100) == 0) clock.step(noise.below(1'000'000));
    if (noise.below(1000) == 0) watchdog.reset(ResetKind::Warm);
  }
  EXPECT_LT(clock.events(), 2'000'000u);
  EXPECT_FALSE(watchdog.debug_dump().empty());
}

TEST(PvpanicTest, PanicEndsTheRunACrashKernelDoesNot) {
  FakeControl control;
  Pvpanic port(control);
  EXPECT_EQ(in8(port, 0), 3u);
  out8(port, 0, 2);
  EXPECT_TRUE(control.requests.empty());
  out8(port, 0, 1);
  EXPECT_EQ(control.last(), MachineRequest::Panic);
}

}  // namespace
}  // namespace reprise::devices
