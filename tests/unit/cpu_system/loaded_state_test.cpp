#include "cpu/system/loaded_state.h"

#include <gtest/gtest.h>

#include <functional>

#include "cpu/state/flags.h"
#include "mmu/paging_bits.h"

namespace reprise::cpu {
namespace {

using namespace mmu;

CpuState long_mode() {
  CpuState state = reset_state(0, 1);
  state.cr0 |= kCr0Pe | kCr0Pg | kCr0Ne | kCr0Wp;
  state.cr4 = kCr4Pae | kCr4Pge | kCr4Osfxsr | kCr4Osxsave;
  state.efer = kEferLme | kEferLma | kEferSce | kEferNxe;
  state.xcr0 = 7;
  state.cpl = 3;
  return state;
}

TEST(LoadedState, WhatProgramsBringAboutIsAccepted) {
  EXPECT_EQ(impossible_in(reset_state(0, 1), default_profile()), "");
  EXPECT_EQ(impossible_in(long_mode(), default_profile()), "");
  CpuState v86 = reset_state(0, 1);
  v86.cr0 |= kCr0Pe;
  v86.rflags |= kRflagsVm;
  v86.cpl = 3;
  EXPECT_EQ(impossible_in(v86, default_profile()), "");
  CpuState halted = reset_state(0, 1);
  init_state(halted, 0);
  halted.activity = Activity::Halted;
  EXPECT_EQ(impossible_in(halted, default_profile()), "");
  CpuState pending = long_mode();
  pending.x87.fcw = 0x0340;
  pending.x87.fsw = 0x8081;  // an unmasked exception waits
  EXPECT_EQ(impossible_in(pending, default_profile()), "");
}

TEST(LoadedState, WhatNoneCanHaveIsNamed) {
  struct Case {
    std::string_view wrong;
    std::function<void(CpuState&)> change;
  };
  const Case cases[] = {
      {"an activity", [](CpuState& s) { s.activity = static_cast<Activity>(4); }},
      {"an activity", [](CpuState& s) { s.after_init = static_cast<Activity>(200); }},
      {"RFLAGS", [](CpuState& s) { s.rflags &= ~kRflagsFixed; }},
      {"RFLAGS", [](CpuState& s) { s.rflags |= 1u << 15; }},
      {"CR0", [](CpuState& s) { s.cr0 &= ~kCr0Pe; }},
      {"CR0", [](CpuState& s) { s.cr0 |= u64{1} << 40; }},
      {"CR0", [](CpuState& s) { s.cr0 = (s.cr0 & ~kCr0Cd) | kCr0Nw; }},
      {"CR4", [](CpuState& s) { s.cr4 |= u64{1} << 31; }},
      {"CR4", [](CpuState& s) { s.cr4 &= ~kCr4Pae; }},
      {"EFER", [](CpuState& s) { s.efer &= ~kEferLma; }},
      {"EFER", [](CpuState& s) { s.efer |= u64{1} << 1; }},
      {"XCR0", [](CpuState& s) { s.xcr0 = 5; }},
      {"XCR0", [](CpuState& s) { s.xcr0 = 6; }},
      {"CPL", [](CpuState& s) { s.cpl = 4; }},
      {"RFLAGS.VM", [](CpuState& s) { s.rflags |= kRflagsVm; }},
      {"debug registers", [](CpuState& s) { s.dr7 |= u64{1} << 32; }},
      {"debug registers", [](CpuState& s) { s.pending_debug = 0x10; }},
      {"MXCSR", [](CpuState& s) { s.mxcsr |= 0x10000; }},
      {"x87 control and status", [](CpuState& s) { s.x87.fsw = 0x0080; }},
      {"x87 control and status", [](CpuState& s) { s.x87.fcw = 0xffff; }},
      {"a number of instructions", [](CpuState& s) { s.retired = ~u64{0}; }},
      {"a number of instructions", [](CpuState& s) { s.retired_no_insn = s.retired + 1; }},
      {"performance counters", [](CpuState& s) { s.pmu.event_select[1] = 1u << 21; }},
      {"performance counters", [](CpuState& s) { s.pmu.global_ctrl = 0x10; }},
      {"performance counters", [](CpuState& s) { s.pmu.counters[5] = PmuState::kEnd; }},
      {"performance counters", [](CpuState& s) { s.pmu.running = 1; }},
  };
  for (const Case& test : cases) {
    CpuState state = long_mode();
    test.change(state);
    EXPECT_EQ(impossible_in(state, default_profile()), test.wrong) << &test - cases;
  }
  CpuState real = reset_state(0, 1);
  real.cpl = 3;
  EXPECT_EQ(impossible_in(real, default_profile()), "CPL");
}

}  // namespace
}  // namespace reprise::cpu
