// Stops at @N.K: instants between which no instruction retires, because every processor is halted.
#include <gtest/gtest.h>

#include "machine/outside/sink_names.h"
#include "tests/unit/machine/small_guest.h"

namespace reprise::machine {
namespace {

// A halted guest, and a timer whose interrupts are masked: 100 microseconds apart.
const Code kHalted = kMaskPics + out8(0x43, 0x34) + out8(0x40, 119) + out8(0x40, 0) + kSti + kHlt + kSpin;

RunLimits at(u64 retired, u64 step) {
  RunLimits limits = kADay;
  limits.stop_at_retired = retired;
  limits.stop_at_step = step;
  return limits;
}

class StopAtStep : public testing::TestWithParam<EngineKind> {
 protected:
  static MachineConfig config() {
    MachineConfig made;
    made.engine = GetParam();
    return made;
  }
  /// Instructions until it is halted.
  static u64 halted_at() {
    Guest guest(kHalted, config());
    RunLimits limits;
    limits.virtual_timeout_ns = 10'000'000;
    return guest.run(limits).retired;
  }
};

TEST_P(StopAtStep, IsExactlyThere) {
  const u64 halted = halted_at();
  for (const u64 step : {0, 1, 2, 7}) {
    Guest guest(kHalted, config());
    const RunResult result = guest.run(at(halted, step));
    EXPECT_EQ(result.reason, ExitReason::StopAt);
    EXPECT_EQ(guest.machine->position().retired, halted);
    EXPECT_EQ(guest.machine->position().step, step);
    EXPECT_EQ(result.position, step == 0 ? "@" + std::to_string(halted)
                                         : "@" + std::to_string(halted) + "." + std::to_string(step));
  }
}

TEST_P(StopAtStep, ARunThatStoppedThereGoesOnAsOneThatDidNot) {
  const u64 halted = halted_at();
  const boot::TemporaryFile file(Guest::image(kHalted));
  Guest straight(file, config()), stopping(file, config());
  const RunResult wanted = straight.run(at(halted, 40));
  RunResult result;
  for (u64 step = 0; step <= 40; ++step) result = stopping.run(at(halted, step));
  EXPECT_EQ(result.state_hash, wanted.state_hash);
  EXPECT_EQ(result.virtual_ns, wanted.virtual_ns);
  EXPECT_EQ(result.position, wanted.position);
}

TEST_P(StopAtStep, BytesThatComeInAreSteps) {
  const u64 halted = halted_at();
  Guest guest(kHalted, config());
  guest.run(at(halted, 3));
  guest.machine->inbox().post({std::string(kCom1Sink), BytesEvent{{'a'}}});
  guest.machine->inbox().post({std::string(kCom2Sink), BytesEvent{{'b'}}});
  guest.run(at(halted, 5));
  EXPECT_EQ(guest.machine->position().step, 5u);
}

/// Where fewer things happen than that, before the next instruction.
TEST_P(StopAtStep, OneThatNeverComesIsTheLastOneThere) {
  Guest guest(kSpin, config());
  guest.run(at(1000, 9));
  EXPECT_EQ(guest.machine->position().retired, 1000u);
  EXPECT_EQ(guest.machine->position().step, 0u);
}

INSTANTIATE_TEST_SUITE_P(Engines, StopAtStep, testing::Values(EngineKind::Interp, EngineKind::Jit));

}  // namespace
}  // namespace reprise::machine
