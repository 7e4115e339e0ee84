// Exits behind a branch that did not save the status flags, because its target overwrites them, make them again.
#include <gtest/gtest.h>

#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

using test::SmallMachine;

constexpr u8 kLoop[] = {
    0x0f, 0x10, 0x06,        // movups xmm0, [rsi]       a group, emitted again apart for where it misses
    0x39, 0xd1,              // cmp ecx, edx             in the middle of it
    0x0f, 0x11, 0x46, 0x20,  // movups [rsi+0x20], xmm0
    0x85, 0xdb,              // test ebx, ebx            what the branch goes by
    0x75, 0x00,              // jnz next
    0x83, 0xc1, 0x01,        // next: add ecx, 1         overwrites the flags
    0xff, 0xc8,              // dec eax
    0xeb, 0xec,              // jmp to the beginning
};

TEST(BranchFlags, AreThoseOfTheBranchsOwnComparisonAtEveryBudget) {
  for (u64 budget = 1; budget <= 20; ++budget) {
    SmallMachine expected(kLoop), actual(kLoop);
    cpu::InterpEngine interp(cpu::default_profile(), expected.code_pages);
    jit::JitOptions options;
    options.threshold = 3;  // the target is known when the branch is translated
    jit::JitEngine jit(cpu::default_profile(), actual.code_pages, options);
    for (SmallMachine* machine : {&expected, &actual}) {
      machine->cpu->state.gpr[cpu::RCX] = 5;
      machine->cpu->state.gpr[cpu::RDX] = 900;  // never equal while this runs, and below
      machine->cpu->state.gpr[cpu::RBX] = 7;
    }
    for (unsigned turn = 0; turn < 120; ++turn) {
      (void)interp.run(*expected.cpu, budget);
      (void)jit.run(*actual.cpu, budget);
      ASSERT_EQ(actual.cpu->state.rip, expected.cpu->state.rip) << "budget " << budget << " turn " << turn;
      ASSERT_EQ(actual.cpu->state.rflags, expected.cpu->state.rflags)
          << "budget " << budget << " turn " << turn;
    }
    EXPECT_GE(jit.translated(), budget > 5 ? 2u : 0u);
  }
}

// Behind a branch that saves no flags rax has what CMPXCHG left there.
constexpr u8 kAnythingInRax[] = {
    0x0f, 0xb0, 0x0e,  // cmpxchg [rsi], cl
    0x39, 0xd3,        // cmp ebx, edx
    0x75, 0x00,        // jne next
    0x31, 0xff,        // next: xor edi, edi      by its handler, which is called with flags that are dead
    0xff, 0xc1,        // inc ecx
    0xeb, 0xf3,        // jmp to the beginning
};

TEST(BranchFlags, ThatAreDeadLeaveTheRestOfRflagsAlone) {
  SmallMachine expected(kAnythingInRax), actual(kAnythingInRax);
  cpu::InterpEngine interp(cpu::default_profile(), expected.code_pages);
  jit::JitOptions options;
  options.threshold = 3;
  options.passes.remove(jit::Pass::HostFlags);
  jit::JitEngine jit(cpu::default_profile(), actual.code_pages, options);
  for (SmallMachine* machine : {&expected, &actual}) {
    machine->cpu->state.gpr[cpu::RAX] = 0xff;
    machine->cpu->state.gpr[cpu::RCX] = 1;
    machine->cpu->state.gpr[cpu::RDX] = 5;
  }
  for (unsigned turn = 0; turn < 200; ++turn) {
    (void)interp.run(*expected.cpu, 7);
    (void)jit.run(*actual.cpu, 7);
    ASSERT_EQ(actual.cpu->state.rip, expected.cpu->state.rip) << "turn " << turn;
    ASSERT_EQ(actual.cpu->state.rflags, expected.cpu->state.rflags) << "turn " << turn;
  }
  EXPECT_GE(jit.translated(), 2u);
}

}  // namespace
}  // namespace reprise
