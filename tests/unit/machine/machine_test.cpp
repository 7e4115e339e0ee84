// The run loop, with guests of a few bytes of 32-bit code in a Multiboot image.
#include "machine/machine.h"

#include <gtest/gtest.h>

#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {
namespace {

TEST(Machine, PowerOffEndsCleanly) {
  Guest guest(print("hi") + kPowerOff + kSpin);
  const RunResult result = guest.run();
  EXPECT_EQ(result.reason, ExitReason::PowerOff);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(guest.com1.text, "hi");
  EXPECT_EQ(result.retired, 2u * 3 + 3);
  constexpr u64 kThreePortAccessesNs = 3 * 1000;
  EXPECT_EQ(result.virtual_ns, result.retired + kThreePortAccessesNs);
}

TEST(Machine, ResetIsWhatARebootIs) {
  for (const Code& code : {out8(kResetControlPort, 0x06), out8(kPort92, 0x01), out8(0x64, 0xfe)}) {
    const RunResult result = Guest(code + kSpin).run();
    EXPECT_EQ(result.reason, ExitReason::Reset);
    EXPECT_EQ(result.exit_code, 0);
  }
}

TEST(Machine, DebugExitGivesItsCode) {
  MachineConfig config;
  config.devices = {{.driver = "isa-debug-exit", .properties = {{"iobase", "0xf4"}}}};
  const RunResult result = Guest(out8(0xf4, 0x10) + kSpin, config).run();
  EXPECT_EQ(result.reason, ExitReason::DebugExit);
  EXPECT_EQ(result.exit_code, 33);
}

TEST(Machine, DebugExitRefusesATakenPort) {
  Capture sink;
  Log log;
  const boot::TemporaryFile file(Guest::image(kSpin));
  MachineConfig config;
  config.boot.kernel_path = file.path();
  config.devices = {{.driver = "isa-debug-exit", .properties = {{"iobase", "0x3f8"}}}};
  EXPECT_FALSE(Machine::create(config, {sink, sink}, log).ok());
}

TEST(Machine, TripleFault) {
  // lidt of six zero bytes, then int3
  const RunResult result = Guest({0x6a, 0x00, 0x6a, 0x00, 0x0f, 0x01, 0x1c, 0x24, 0xcc}).run();
  EXPECT_EQ(result.reason, ExitReason::TripleFault);
  EXPECT_EQ(result.exit_code, 13);
}

TEST(Machine, HaltsThatNothingEndsAreHangs) {
  const RunResult off = Guest(kCli + kHlt + kSpin).run();
  EXPECT_EQ(off.reason, ExitReason::Hang);
  EXPECT_EQ(off.exit_code, 11);
  EXPECT_NE(off.message.find("interrupts off"), std::string::npos);
  const RunResult masked = Guest(kMaskPics + kSti + kHlt + kSpin).run(kADay);
  EXPECT_EQ(masked.reason, ExitReason::Hang);
  EXPECT_LT(masked.virtual_ns, 3'700'000'000'000u);
}

TEST(Machine, StopAtAndTimeoutAreExact) {
  RunLimits limits;
  limits.stop_at_retired = 1'234'567;
  const RunResult stopped = Guest(kSpin).run(limits);
  EXPECT_EQ(stopped.reason, ExitReason::StopAt);
  EXPECT_EQ(stopped.retired, 1'234'567u);
  limits = {};
  limits.virtual_timeout_ns = 777'777;
  const RunResult late = Guest(kSpin).run(limits);
  EXPECT_EQ(late.reason, ExitReason::Timeout);
  EXPECT_EQ(late.exit_code, 12);
  EXPECT_EQ(late.virtual_ns, 777'777u);
}

TEST(Machine, WallTimeout) {
  RunLimits limits;
  limits.wall_timeout_s = 0.05;
  limits.virtual_timeout_ns = 1'000'000'000'000'000;
  const RunResult result = Guest(kSpin).run(limits);
  EXPECT_EQ(result.reason, ExitReason::WallTimeout);
  EXPECT_EQ(result.exit_code, 21);
}

TEST(Machine, EndsOnRequest) {
  Guest guest(kSpin);
  guest.machine->request_end(ExitReason::Signal, 143);
  const RunResult result = guest.run();
  EXPECT_EQ(result.reason, ExitReason::Signal);
  EXPECT_EQ(result.exit_code, 143);
}

TEST(Machine, PanicIsSeenOnTheConsole) {
  const RunResult result = Guest(print("[ 0.1] Kernel panic - not syncing: test\n") + kSpin).run();
  EXPECT_EQ(result.reason, ExitReason::Panic);
  EXPECT_EQ(result.exit_code, 10);
  EXPECT_EQ(result.message, "Kernel panic - not syncing: test");
}

TEST(Machine, AResetDuringAPanicIsAPanic) {
  const RunResult result =
      Guest(print("Kernel panic - not syncing: x\n") + out8(kResetControlPort, 0x06) + kSpin).run();
  EXPECT_EQ(result.reason, ExitReason::Panic);
}

TEST(Machine, AGuestThatGoesIdleHasNotPanicked) {
  // With the timer's interrupt masked the guest still halts as an idle kernel does, then is stuck.
  const RunResult result =
      Guest(kMaskPics + print("Kernel panic - not syncing: x\n") + kSti + kHlt).run(kADay);
  EXPECT_EQ(result.reason, ExitReason::Hang);
}

TEST(Machine, SameGuestSameHashesWhateverTheSlices) {
  // Counts in memory for ever.
  const Code count = {0xff, 0x05, 0x00, 0x00, 0x20, 0x00, 0xeb, 0xf8};
  // The path of a Multiboot kernel is on its command line: one file for all runs.
  const boot::TemporaryFile file(Guest::image(count));
  const auto run = [&](u64 hash_every, u64 seed) {
    MachineConfig config;
    config.seed = seed;
    RunLimits limits;
    limits.stop_at_retired = 300'000;
    limits.hash_every_retired = hash_every;
    return Guest(file, config).run(limits);
  };
  const RunResult plain = run(0, 1);
  const RunResult hashed = run(7'777, 1);
  EXPECT_EQ(plain.state_hash, hashed.state_hash);
  EXPECT_EQ(hashed.hashes.size(), 300'000u / 7'777);
  EXPECT_EQ(hashed.hashes[0].retired, 7'777u);
  EXPECT_NE(hashed.hashes[0].state_hash, hashed.hashes[1].state_hash);
  const RunResult again = run(7'777, 1);
  for (std::size_t i = 0; i < again.hashes.size(); ++i)
    EXPECT_EQ(again.hashes[i].state_hash, hashed.hashes[i].state_hash);
  EXPECT_NE(plain.state_hash, run(0, 2).state_hash) << "the seed is part of the state";
}

TEST(Machine, SleepsUntilTheAlarmAndIsWokenInRealMode) {
  Guest guest(sleeper(0x400));
  const RunResult result = guest.run();
  EXPECT_EQ(result.reason, ExitReason::PowerOff) << result.message;
  EXPECT_EQ(guest.com1.text, "W");
  EXPECT_GT(result.virtual_ns, 900'000'000u);
  EXPECT_LT(result.retired, 1000u);
  EXPECT_EQ(guest.machine->pc().port_read(kPm1EventPort, Width::Word), 0x8400u);
}

TEST(Machine, ASleepThatNothingEndsIsAHang) {
  Guest guest(sleeper(0));
  EXPECT_EQ(guest.run(kADay).reason, ExitReason::Hang);
  EXPECT_EQ(guest.com1.text, "");
}

TEST(Machine, InputIsStampedAndReachesTheGuest) {
  // Poll LSR until data is ready, echo it, power off.
  const Code echo =
      Code{0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0x66, 0xba, 0xf8, 0x03, 0xec, 0xee};
  const Code eight_bits = out8(kCom1Port + 3, 3);
  Guest guest(eight_bits + echo + kPowerOff + kSpin);
  guest.machine->inbox().post({"com1", BytesEvent{{'q'}}});
  const RunResult result = guest.run();
  EXPECT_EQ(result.reason, ExitReason::PowerOff);
  EXPECT_EQ(guest.com1.text, "q");
  ASSERT_EQ(guest.machine->outside().log().size(), 1u);
  EXPECT_EQ(guest.machine->outside().log()[0].retired, 0u);
}

TEST(Machine, IdleTimeIsSkippedOnTheVirtualClock) {
  // PIT channel 0 in mode 0 for 65535 clocks (55 ms), its line unmasked. There is no IDT, so the delivery
  // that ends the idle time is a triple fault.
  const Code program = out8(0x20, 0x11) + out8(0x21, 0x20) + out8(0x21, 4) + out8(0x21, 1) +
                       out8(0x21, 0xfe) + out8(0x43, 0x30) + out8(0x40, 0xff) + out8(0x40, 0xff) + kSti +
                       kHlt + kSpin;
  const RunResult result = Guest(program).run();
  EXPECT_EQ(result.reason, ExitReason::TripleFault);
  EXPECT_NEAR(static_cast<double>(result.virtual_ns), 54.9e6, 0.2e6);
  EXPECT_GT(result.idle_ns, 54'000'000u);
  EXPECT_LT(result.wall_s, 5.0);
}

TEST(Machine, SilenceIsToldOnceAndOnlyOfAGuestThatPrintsNothing) {
  const auto told = [](const Code& code) {
    Guest guest(code);
    int times = 0;
    guest.machine->on_silence([&] { ++times; });
    RunLimits limits;
    limits.virtual_timeout_ns = 4 * Machine::kSilenceNs;
    guest.run(limits);
    return times;
  };
  EXPECT_EQ(told(kMaskPics + kSti + kHlt + kSpin), 1);
  EXPECT_EQ(told(print("x") + kMaskPics + kSti + kHlt + kSpin), 0);
  EXPECT_EQ(told(kPowerOff), 0);
}

TEST(Machine, RefusesImpossibleConfigurations) {
  Capture sink;
  Log log;
  MachineConfig config;
  config.cpus = 2;
  EXPECT_FALSE(Machine::create(config, {sink, sink}, log).ok());
  config.cpus = 1;
  config.ram_bytes = 1000;
  EXPECT_FALSE(Machine::create(config, {sink, sink}, log).ok());
}

}  // namespace
}  // namespace reprise::machine
