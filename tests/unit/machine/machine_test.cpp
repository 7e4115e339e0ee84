// The run loop, with guests of a few bytes of 32-bit code in a Multiboot image.
#include "machine/machine.h"

#include <gtest/gtest.h>

#include <algorithm>

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

/// What has timers of the machine's, and a thread that wakes it, goes before them: a sanitizer sees it.
TEST(Machine, EndsWithANetwork) {
  if (!user_network_offered()) GTEST_SKIP() << "no libslirp";
  MachineConfig config;
  config.net.kind = NetConfig::Kind::User;
  config.devices.push_back({.driver = "virtio-net"});
  EXPECT_EQ(Guest(kPowerOff + kSpin, config).run().reason, ExitReason::PowerOff);
}

TEST(Machine, ResetIsWhatARebootIs) {
  for (const Code& code : {out8(kResetControlPort, 0x06), out8(kPort92, 0x01), out8(0x64, 0xfe)}) {
    const RunResult result = Guest(code + kSpin).run();
    EXPECT_EQ(result.reason, ExitReason::Reset);
    EXPECT_EQ(result.exit_code, 14);
    EXPECT_EQ(result.message,
              "the guest asked for a reset, and there is no firmware that could start it again");
  }
}

/// A BIOS that says that it boots, as SeaBIOS does, and then does what `ends` does.
std::string booting_bios(const Code& ends) {
  // mov dx, 402h; mov si, 100h; again: cs lodsb; out dx, al; cmp al, 10; jne again
  const Code says = Code{0xba, 0x02, 0x04, 0xbe, 0x00, 0x01, 0x2e, 0xac, 0xee, 0x3c, 0x0a, 0x75, 0xf9} + ends;
  constexpr std::string_view kLine = "Booting from 0000:7c00\n";
  const Code kJump = {0xea, 0x00, 0x00, 0x00, 0xf0};  // jmp F000:0000
  std::string bios(64 * kKiB, '\0');
  std::ranges::copy(says, bios.begin());
  std::ranges::copy(kLine, bios.begin() + 0x100);
  std::ranges::copy(kJump, bios.begin() + 0xfff0);
  return bios;
}

RunResult run_bios(const Code& ends, RunLimits limits) {
  const boot::TemporaryFile file(booting_bios(ends));
  MachineConfig config;
  config.ram_bytes = 16 * kMiB;
  config.firmware.bios = file.path();
  Capture sink;
  Log log;
  auto machine = Machine::create(config, {sink, sink}, log);
  EXPECT_TRUE(machine.ok()) << machine.error().message;
  limits.virtual_timeout_ns = 50'000'000;
  return machine.take()->run(limits);
}

/// Whatever the way, and whatever the clock: nobody is there.
TEST(Machine, StartsThatLeadToNothingAreCountedAsWhatTheyAre) {
  const Code kReset = {0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe};                    // mov al, FEh; out 64h, al
  const Code kTripleFault = {0x2e, 0x0f, 0x01, 0x1e, 0x00, 0x02, 0x0f, 0x0b};  // lidt of zeros; ud2
  const Code kAgain = {0xea, 0x00, 0x00, 0x00, 0xf0};                          // jmp F000:0000
  for (const ClockMode clock : {ClockMode::Free, ClockMode::Paced}) {
    RunLimits limits;
    limits.clock = clock;
    const RunResult reset = run_bios(kReset, limits);
    EXPECT_EQ(reset.reason, ExitReason::Reset);
    EXPECT_EQ(reset.message,
              "the guest has been restarted 100 times without writing to a disk or being given anything: it "
              "will not get further");
    EXPECT_NE(
        run_bios(kTripleFault, limits).message.find("100 times, the last time by a triple fault, without"),
        std::string::npos);
    EXPECT_NE(run_bios(kAgain, limits).message.find("INT 19h"), std::string::npos);
  }
  RunLimits attended;
  attended.attended = true;
  EXPECT_EQ(run_bios(kReset, attended).reason, ExitReason::Timeout);
}

TEST(Machine, DebugExitGivesItsCode) {
  MachineConfig config;
  config.devices = {{.driver = "isa-debug-exit", .properties = {{"iobase", "0xf4"}}}};
  const RunResult result = Guest(out8(0xf4, 0x10) + kSpin, config).run();
  EXPECT_EQ(result.reason, ExitReason::DebugExit);
  EXPECT_EQ(result.exit_code, 33);
  EXPECT_EQ(result.message, "the guest wrote 16 to the debug-exit port");
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

TEST(Machine, AHaltThatAnNmiCanEndIsNoHangAtOnce) {
  // LINT0 as NMI, by the local APIC's register page: mov dword [fee00350h], 400h.
  const Code nmi = {0xc7, 0x05, 0x50, 0x03, 0xe0, 0xfe, 0x00, 0x04, 0x00, 0x00};
  // The PIT runs, so that something is to come.
  const Code pit = out8(0x43, 0x34) + out8(0x40, 0xff) + out8(0x40, 0xff);
  const RunResult result = Guest(kMaskPics + pit + nmi + kCli + kHlt + kSpin).run(kADay);
  EXPECT_EQ(result.reason, ExitReason::Hang);
  EXPECT_GT(result.virtual_ns, 3'500'000'000'000u);
}

TEST(Machine, AWaitThatOnlyTimersInterruptIsAHangInTheEnd) {
  // A local APIC timer that wakes it every 2^31 ns * 16 (34 s), whose handler is an IRET: an IDT with one gate.
  // mov dword [addr], value
  const auto store = [](u32 phys, u32 value) {
    Code code = {0xc7, 0x05};
    for (const u32 word : {phys, value})
      for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(word >> 8 * i));
    return code;
  };
  constexpr u32 kGate = 0x200000 + 0x40 * 8, kHandler = 0x210000;
  const Code idt = store(kGate, kHandler & 0xffff) + store(kGate + 4, (kHandler & 0xffff0000) | 0x8e00) +
                   store(0x220000, 0x0000'07ff) + store(0x220002, 0x200000) +
                   // EOI: mov dword [fee000b0h], 0; iret
                   store(kHandler, 0x00b005c7) + store(kHandler + 4, 0x0000fee0) +
                   store(kHandler + 8, 0x00cf0000) +
                   // mov esp, 230000h; mov [gate's selector], cs; lidt [220000h]
                   Code{0xbc, 0x00, 0x00, 0x23, 0x00, 0x8c, 0x0d, 0x02, 0x02,
                        0x20, 0x00, 0x0f, 0x01, 0x1d, 0x00, 0x00, 0x22, 0x00};
  const Code timer = store(0xfee003e0, 0x3) + store(0xfee00320, 0x20040) + store(0xfee00380, 0x7fffffff);
  const Code loop = {0xf4, 0xeb, 0xfd};  // hlt; jmp
  RunLimits limits;
  limits.virtual_timeout_ns = 2 * *kADay.virtual_timeout_ns;
  const RunResult result = Guest(kMaskPics + idt + timer + kSti + loop).run(limits);
  EXPECT_EQ(result.reason, ExitReason::Hang) << result.message;
  EXPECT_NE(result.message.find("does nothing but wait"), std::string::npos);
  EXPECT_GE(result.virtual_ns, *kADay.virtual_timeout_ns);
}

TEST(Machine, ASignalIsNamed) {
  Guest guest(kSpin);
  guest.machine->request_end(ExitReason::Signal, 128 + 15);
  EXPECT_EQ(guest.run().message, "ended by SIGTERM");
  EXPECT_EQ(ended_by_signal(40), "ended by signal 40");
}

TEST(Machine, IdleTimeOfAGuestInCompanyIsTheHosts) {
  // The timer's interrupt comes after 55 ms, as in IdleTimeIsSkippedOnTheVirtualClock.
  const Code program = out8(0x20, 0x11) + out8(0x21, 0x20) + out8(0x21, 4) + out8(0x21, 1) +
                       out8(0x21, 0xfe) + out8(0x43, 0x30) + out8(0x40, 0xff) + out8(0x40, 0xff) + kSti +
                       kHlt + kSpin;
  Guest guest(program);
  guest.machine->inbox().add_companion();
  const RunResult result = guest.run();
  EXPECT_EQ(result.reason, ExitReason::TripleFault);
  EXPECT_GT(result.wall_s, 0.05);
  EXPECT_NEAR(static_cast<double>(result.virtual_ns), 54.9e6, 0.2e6);
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
  const RunResult result =
      Guest(print("[ 0.1] Kernel panic - not syncing: test\n---[ end Kernel panic\n") + kSpin).run();
  EXPECT_EQ(result.reason, ExitReason::Panic);
  EXPECT_EQ(result.exit_code, 10);
  EXPECT_EQ(result.message, "Kernel panic - not syncing: test");
  EXPECT_LT(result.virtual_ns, 100'000'000u);
}

TEST(Machine, APanicThatIsNotAtItsEndMayBeACrashKernel) {
  // in al, 80h; jmp: a microsecond each, so that seconds pass quickly
  const Code wait = {0xe4, 0x80, 0xeb, 0xfc};
  RunLimits limits;
  limits.virtual_timeout_ns = 9'000'000'000;
  Guest guest(print("Kernel panic - not syncing: x\n") + wait);
  EXPECT_EQ(guest.run(limits).reason, ExitReason::Timeout) << "it is unpacking";
  limits.virtual_timeout_ns = 11'000'000'000;
  EXPECT_EQ(guest.run(limits).reason, ExitReason::Panic) << "it is not";
}

TEST(Machine, OnPanicTheRunGoesOnIfTheUserWantsIt) {
  // A microsecond of guest time each: on any host soon enough.
  const Code slow_spin = {0xe4, 0x80, 0xeb, 0xfc};  // in al, 80h; jmp back
  RunLimits limits;
  limits.virtual_timeout_ns = 100'000'000;
  const Code panic = print("Kernel panic - not syncing: x\n---[ end Kernel panic\n");
  limits.on_panic = OnPanic::Continue;
  EXPECT_EQ(Guest(panic + slow_spin).run(limits).reason, ExitReason::Timeout);
  EXPECT_EQ(Guest(out8(0x505, 1) + slow_spin).run(limits).reason, ExitReason::Timeout) << "pvpanic";
  limits.on_panic = OnPanic::Wait;
  EXPECT_EQ(Guest(panic + slow_spin).run(limits).reason, ExitReason::Panic)
      << "nobody is there who could look";
  limits.wall_timeout_s = 3;
  Guest watched(panic + slow_spin);
  watched.machine->inbox().add_source();
  EXPECT_EQ(watched.run(limits).reason, ExitReason::WallTimeout);
  EXPECT_TRUE(watched.machine->stopped());
  EXPECT_LT(watched.machine->virtual_ns(), 100'000'000u);
}

TEST(Machine, APanicOnTheScreenIsSeenWhenItResets) {
  // Characters at the beginning of text memory, without attributes.
  Code code;
  const std::string_view line = "Kernel panic - not syncing: x";
  for (std::size_t i = 0; i < line.size(); ++i) {
    const u32 phys = 0xb8000 + 2 * static_cast<u32>(i);
    const Code store = {0xc6,
                        0x05,
                        static_cast<u8>(phys),
                        static_cast<u8>(phys >> 8),
                        static_cast<u8>(phys >> 16),
                        0,
                        static_cast<u8>(line[i])};
    code = code + store;
  }
  const RunResult result = Guest(code + out8(kResetControlPort, 0x06) + kSpin).run();
  EXPECT_EQ(result.reason, ExitReason::Panic);
  EXPECT_EQ(result.message, line);
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
  ASSERT_EQ(guest.machine->recorder().events().size(), 1u);
  EXPECT_EQ(guest.machine->recorder().events()[0].at.retired, 0u);
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
  config.ram_bytes = 1000;
  EXPECT_FALSE(Machine::create(config, {sink, sink}, log).ok());
}

}  // namespace
}  // namespace reprise::machine
