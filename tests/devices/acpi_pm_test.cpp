#include "devices/timer/acpi_pm.h"

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u16 kStatus = 0, kEnable = 2, kControl = 4, kTimer = 8, kGpeStatus = 12, kGpeEnable = 14;

struct Board {
  explicit Board(AcpiPmConfig config = {})
      : pm(config, clock, wires.line(9), wires.line(1), control, wires.line(2)) {}
  FakeClock clock;
  FakeWires wires;
  FakeControl control;
  AcpiPm pm;
};

class AcpiPmTest : public ::testing::Test, protected Board {
 protected:
  u16 read(u16 offset) { return static_cast<u16>(pm.pm_ports().pio_read(offset, Width::Word)); }
  void write(u16 offset, u16 value) { pm.pm_ports().pio_write(offset, Width::Word, value); }
  bool sci() const { return wires.level(9); }
};

TEST_F(AcpiPmTest, TimerCountsExactly) {
  clock.step(1'000'000'000);
  EXPECT_EQ(in32(pm.pm_ports(), kTimer), 3579545u);
  clock.step(9'000'000'000);
  EXPECT_EQ(in32(pm.pm_ports(), kTimer), 35795450u & 0xffffff) << "24 bits";
  EXPECT_EQ(read(kTimer), (35795450u & 0xffff));
  EXPECT_EQ(in8(pm.pm_ports(), kTimer + 2), (35795450u >> 16 & 0xff));
  out32(pm.pm_ports(), kTimer, 0);
  EXPECT_EQ(in32(pm.pm_ports(), kTimer), 35795450u & 0xffffff) << "read-only";
  Board wide({.timer_32_bit = true});
  wide.clock.step(10'000'000'000);
  EXPECT_EQ(in32(wide.pm.pm_ports(), kTimer), 35795450u);
}

TEST_F(AcpiPmTest, GeneralPurposeEventsAreCleared) {
  write(kControl, 1);
  pm.raise_event(5);
  EXPECT_FALSE(sci()) << "nobody has enabled it";
  EXPECT_EQ(read(kGpeStatus), 1u << 5);
  write(kGpeEnable, 1u << 5);
  EXPECT_TRUE(sci());
  write(kGpeStatus, 1u << 4);
  EXPECT_TRUE(sci()) << "another one's bit";
  write(kGpeStatus, 1u << 5);
  EXPECT_FALSE(sci());
  EXPECT_EQ(read(kGpeStatus), 0);
}

TEST_F(AcpiPmTest, TimerStatusOnEveryChangeOfTheTopBit) {
  const u64 half = (u128{1} << 23) * 1'000'000'000 / 3579545 + 1;
  clock.run_until(half - 1);
  EXPECT_EQ(read(kStatus), 0);
  clock.step(1);
  EXPECT_EQ(in32(pm.pm_ports(), kTimer), 0x800000u);
  EXPECT_EQ(read(kStatus), 1);
  write(kStatus, 1);
  EXPECT_EQ(read(kStatus), 0);
  EXPECT_EQ(clock.events(), 0u) << "nobody asked for an interrupt";
  write(kEnable, 1);
  write(kControl, 1);
  clock.step(half - 1);
  EXPECT_TRUE(sci());
  EXPECT_EQ(read(kStatus), 1);
  write(kStatus, 1);
  EXPECT_FALSE(sci());
}

TEST_F(AcpiPmTest, WritableBits) {
  write(kEnable, 0xffff);
  EXPECT_EQ(read(kEnable), 0x0521);
  write(kControl, 0xdfff);
  EXPECT_EQ(read(kControl), 0x1c03);
  write(kGpeEnable, 0xffff);
  EXPECT_EQ(read(kGpeEnable), 0xffff);
  out8(pm.pm_ports(), kGpeEnable + 1, 0x12);
  EXPECT_EQ(read(kGpeEnable), 0x12ff);
  out32(pm.pm_ports(), kStatus, 0x01000000);
  EXPECT_EQ(read(kEnable), 0x0100) << "a dword covers status and enable";
  EXPECT_EQ(in32(pm.pm_ports(), kStatus), 0x01000000u);
  write(0x10, 0xffff);
  EXPECT_EQ(read(0x10), 0);
  EXPECT_EQ(read(62), 0);
}

TEST_F(AcpiPmTest, PowerButtonRaisesSciOnlyInAcpiMode) {
  write(kEnable, 0x100);
  pm.press_power_button();
  EXPECT_EQ(read(kStatus), 0x100);
  EXPECT_FALSE(sci());
  out8(pm.smi_ports(), 0, 0xf1);
  EXPECT_EQ(read(kControl) & 1, 1);
  EXPECT_TRUE(sci());
  out8(pm.pm_ports(), kStatus + 1, 0x01);
  EXPECT_FALSE(sci());
  out8(pm.smi_ports(), 0, 0xf0);
  EXPECT_EQ(read(kControl) & 1, 0);
}

TEST_F(AcpiPmTest, NoGeneralPurposeEventEverHappens) {
  write(kControl, 1);
  write(kGpeEnable, 0xffff);
  EXPECT_EQ(read(kGpeEnable), 0xffff);
  write(kGpeStatus, 0xffff);
  EXPECT_EQ(read(kGpeStatus), 0);
  EXPECT_FALSE(sci());
}

TEST_F(AcpiPmTest, SuspendToRamAndItsWakeEvents) {
  using Power = AcpiPm::Power;
  constexpr u16 kRtc = 0x400, kButton = 0x100, kWake = 0x8000;
  struct Way {
    u16 enabled;
    bool button, alarm, wakes;
  };
  for (const auto& [enabled, button, alarm, wakes] : {Way{0, false, true, false},
                                                      {kRtc, false, true, true},
                                                      {0, true, false, true},
                                                      {kRtc, false, false, false}}) {
    Board board;
    const auto word = [&](u16 offset) { return board.pm.pm_ports().pio_read(offset, Width::Word); };
    board.pm.pm_ports().pio_write(kEnable, Width::Word, enabled | kButton | 1u);
    board.pm.pm_ports().pio_write(kControl, Width::Word, 0x2401);
    EXPECT_EQ(board.pm.power(), Power::FallsAsleep);
    EXPECT_EQ(board.wires.rises(2), 1);
    EXPECT_TRUE(board.control.requests.empty());
    board.pm.fall_asleep();
    EXPECT_EQ(board.pm.power(), Power::Asleep);
    board.clock.step(10'000'000'000);
    EXPECT_EQ(board.pm.power(), Power::Asleep) << "the timer does not wake";
    if (button) board.pm.press_power_button();
    board.pm.set_rtc_alarm(alarm);
    EXPECT_EQ(board.pm.power(), wakes ? Power::WakesUp : Power::Asleep);
    EXPECT_FALSE(board.wires.level(9)) << "no SCI while asleep";
    if (!wakes) continue;
    EXPECT_EQ(board.wires.rises(2), 2);
    Board other;
    other.clock.run_until(board.clock.now_ns());
    ASSERT_TRUE(load(other.pm, saved(board.pm)));
    EXPECT_EQ(other.pm.power(), Power::WakesUp);
    board.pm.wake_up();
    EXPECT_EQ(board.pm.power(), Power::Awake);
    EXPECT_EQ(word(kStatus) & ~1u, kWake | (button ? kButton : kRtc));
    EXPECT_EQ(word(kControl) & 1, 1) << "SCI_EN is as it was";
    EXPECT_TRUE(board.wires.level(9));
  }
}

TEST_F(AcpiPmTest, AnEventThatIsThereAlreadyWakesAtOnce) {
  write(kEnable, 0x400);
  pm.set_rtc_alarm(true);
  EXPECT_EQ(read(kStatus), 0x400) << "RTC_STS, awake too";
  pm.set_rtc_alarm(true);
  write(kStatus, 0x400);
  EXPECT_EQ(read(kStatus), 0) << "an alarm counts once";
  pm.set_rtc_alarm(false);
  pm.set_rtc_alarm(true);
  write(kControl, 0x2400);
  pm.fall_asleep();
  EXPECT_EQ(pm.power(), AcpiPm::Power::WakesUp);
  pm.reset(ResetKind::Warm);
  EXPECT_EQ(pm.power(), AcpiPm::Power::Awake);
}

/// SeaBIOS enables SMIs once, and moves SMBASE by one when it resumes before it has placed the ports again.
TEST_F(AcpiPmTest, SmisStayEnabledInSleep) {
  constexpr u16 kGlobalControl = 0x28;
  write(kGlobalControl, 1);
  write(kControl, 0x2400);
  pm.fall_asleep();
  EXPECT_EQ(read(kGlobalControl) & 1, 1);
  pm.reset(ResetKind::Warm);
  EXPECT_EQ(read(kGlobalControl) & 1, 0);
}

TEST_F(AcpiPmTest, SleepType) {
  write(kControl, 0x1c00 | 0x2000);
  EXPECT_TRUE(control.requests.empty());
  EXPECT_EQ(read(kStatus) & 0x8000, 0x8000) << "an unknown sleep wakes at once";
  write(kControl, 0x0001);
  EXPECT_TRUE(control.requests.empty()) << "no SLP_EN";
  write(kControl, 0x2001);
  EXPECT_EQ(control.last(), MachineRequest::PowerOff);
  EXPECT_EQ(read(kControl), 1) << "SLP_EN reads zero";
  Board other({.s5_sleep_type = 5});
  other.pm.pm_ports().pio_write(kControl, Width::Word, 0x2000);
  EXPECT_TRUE(other.control.requests.empty());
  out8(other.pm.pm_ports(), kControl + 1, 0x34);
  EXPECT_EQ(other.control.last(), MachineRequest::PowerOff) << "a byte write is enough";
}

TEST_F(AcpiPmTest, ApmPortsHoldTheirBytes) {
  out8(pm.smi_ports(), 0, 0x12);
  out8(pm.smi_ports(), 1, 0x34);
  EXPECT_EQ(in8(pm.smi_ports(), 0), 0x12);
  EXPECT_EQ(in8(pm.smi_ports(), 1), 0x34);
}

TEST_F(AcpiPmTest, ApmControlRaisesSmi) {
  constexpr u16 kGlobalStatus = 0x18, kGlobalControl = 0x28;
  const auto smis = [&] { return wires.rises(1); };
  out8(pm.smi_ports(), 0, 0x12);
  out32(pm.pm_ports(), kGlobalControl, 1);
  out8(pm.smi_ports(), 0, 0x12);
  EXPECT_EQ(smis(), 0) << "APMC_EN is clear";
  EXPECT_EQ(read(kGlobalStatus), 0);
  pm.enable_apm_smi(true);
  out8(pm.smi_ports(), 0, 0x12);
  EXPECT_EQ(smis(), 1);
  EXPECT_FALSE(wires.level(1)) << "a pulse";
  EXPECT_EQ(read(kGlobalStatus), 0x20);
  write(kGlobalStatus, 0xffff);
  EXPECT_EQ(read(kGlobalStatus), 0);
  out8(pm.smi_ports(), 1, 0x12);
  EXPECT_EQ(smis(), 1) << "the status port is only memory";
  out8(pm.smi_ports(), 0, 0xf1);
  out8(pm.smi_ports(), 0, 0xf0);
  EXPECT_EQ(smis(), 1) << "ACPI on and off are the board's";
  out32(pm.pm_ports(), kGlobalControl, 0xfffffffe);
  EXPECT_EQ(in32(pm.pm_ports(), kGlobalControl), 0x10000u);
  out8(pm.smi_ports(), 0, 0x12);
  EXPECT_EQ(smis(), 1) << "SMI_EN is clear";
  EXPECT_EQ(read(kGlobalStatus), 0x20);
  out8(pm.pm_ports(), kGlobalControl, 1);
  EXPECT_EQ(in32(pm.pm_ports(), kGlobalControl), 0x10001u);
  pm.reset(ResetKind::Warm);
  EXPECT_EQ(in32(pm.pm_ports(), kGlobalControl), 0u);
  EXPECT_EQ(read(kGlobalStatus), 0);
}

TEST_F(AcpiPmTest, Reset) {
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    write(kEnable, 0x521);
    write(kControl, 1);
    write(kGpeEnable, 0xff);
    pm.press_power_button();
    clock.step(10'000'000'000);
    pm.reset(kind);
    EXPECT_FALSE(sci());
    EXPECT_EQ(in32(pm.pm_ports(), kStatus), 0u);
    EXPECT_EQ(read(kControl), 0);
    EXPECT_EQ(in32(pm.pm_ports(), kGpeStatus), 0u);
    EXPECT_NE(in32(pm.pm_ports(), kTimer), 0u) << "the timer runs on";
  }
}

TEST_F(AcpiPmTest, RoundTrip) {
  write(kEnable, 0x101);
  write(kControl, 1);
  pm.enable_apm_smi(true);
  out8(pm.pm_ports(), 0x28, 1);
  out8(pm.smi_ports(), 0, 0x12);
  clock.step(1'000'000'000);
  const auto bytes = saved(pm);
  Board other;
  other.clock.run_until(clock.now_ns());
  ASSERT_TRUE(load(other.pm, bytes));
  EXPECT_EQ(saved(other.pm), bytes);
  other.clock.step(3'000'000'000);
  EXPECT_TRUE(other.wires.level(9));
}

TEST_F(AcpiPmTest, Noise) {
  Noise noise(4);
  for (int i = 0; i < 100000; ++i) {
    switch (noise.below(7)) {
      case 6: pm.enable_apm_smi(noise.below(2) != 0); break;
      case 0: clock.step(noise.below(2'000'000'000)); break;
      case 1: noise.ports(pm.smi_ports(), 2, Width::Byte); break;
      case 2: pm.press_power_button(); break;
      default: noise.ports(pm.pm_ports(), 60, Width::Dword);
    }
  }
  Board other;
  other.clock.jump(clock.now_ns());
  ASSERT_TRUE(load(other.pm, saved(pm)));
  EXPECT_EQ(saved(other.pm), saved(pm));
  EXPECT_FALSE(pm.debug_dump().empty());
}

TEST(AcpiPmOfIch9, RegistersAreWhereIch9HasThem) {
  constexpr u16 kEvents = 0x20, kEventsEnabled = 0x28, kSmiEnable = 0x30, kSmiStatus = 0x34;
  Board board({.layout = AcpiPmLayout::Ich9});
  PioHandler& ports = board.pm.pm_ports();
  EXPECT_EQ(board.pm.ports(), 128u);
  ports.pio_write(kControl, Width::Word, 1);
  board.pm.raise_event(5);
  EXPECT_EQ(in32(ports, kEvents), 1u << 5);
  EXPECT_EQ(in32(ports, 0x0c), 0u) << "there PIIX4 has them";
  out32(ports, kEventsEnabled, 1u << 5);
  EXPECT_TRUE(board.wires.level(9));
  out32(ports, kEvents, ~0u);
  EXPECT_FALSE(board.wires.level(9));
  // The APM control port, without any bit of configuration space's and without GBL_SMI_EN.
  out8(board.pm.smi_ports(), 0, 0x12);
  EXPECT_EQ(board.wires.rises(1), 0) << "APMC_EN is clear";
  out32(ports, kSmiEnable, ~0u);
  EXPECT_EQ(in32(ports, kSmiEnable), 0x23u);
  out32(ports, kSmiEnable, 0x20);
  out8(board.pm.smi_ports(), 0, 0x12);
  EXPECT_EQ(board.wires.rises(1), 1);
  EXPECT_EQ(in32(ports, kSmiStatus), 0x20u);
  out32(ports, kSmiStatus, 0x20);
  EXPECT_EQ(in32(ports, kSmiStatus), 0u);
  board.pm.fall_asleep();
  EXPECT_EQ(in32(ports, kSmiEnable), 0x20u)
      << "firmware's first SMI comes before it has placed the block again";
}

}  // namespace
}  // namespace reprise::devices
