// Blocks translated as one: every way out of the middle, and what becomes of the region when a later block changes.
#include <gtest/gtest.h>

#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

using test::SmallMachine;

constexpr u8 kLoop[] = {
    0x48, 0x8b, 0x1e,              //  0: mov rbx, [rsi]        flags are shown if this fails
    0x48, 0x83, 0xe9, 0x01,        //  3: sub rcx, 1
    0x78, 0x14,                    //  7: js 29                 seldom
    0x48, 0x01, 0xc8,              //  9: add rax, rcx          the next block
    0x48, 0x89, 0x46, 0x08,        // 12: mov [rsi + 8], rax
    0xa8, 0x1f,                    // 16: test al, 31
    0x74, 0x0e,                    // 18: je 34                 seldom
    0x48, 0x39, 0xd8,              // 20: cmp rax, rbx          the third
    0x48, 0x83, 0xc2, 0x01,        // 23: add rdx, 1
    0xeb, 0xe3,                    // 27: jmp 0
    0xb9, 0x0b, 0x00, 0x00, 0x00,  // 29: mov ecx, 11
    0x48, 0x83, 0xc7, 0x01,        // 34: add rdi, 1
    0xeb, 0xd8,                    // 38: jmp 0
};
constexpr u64 kSecond = 9;

struct Machines {
  explicit Machines(const jit::JitOptions& options)
      : interp(cpu::default_profile(), expected.code_pages),
        jit(cpu::default_profile(), actual.code_pages, options) {
    for (SmallMachine* machine : {&expected, &actual}) machine->cpu->state.gpr[cpu::RCX] = 200;
  }
  void run(u64 budget) {
    (void)interp.run(*expected.cpu, budget);
    (void)jit.run(*actual.cpu, budget);
    ASSERT_EQ(actual.cpu->state.rip, expected.cpu->state.rip);
    ASSERT_EQ(actual.cpu->state.rflags, expected.cpu->state.rflags);
    for (unsigned i = 0; i < 16; ++i) ASSERT_EQ(actual.cpu->state.gpr[i], expected.cpu->state.gpr[i]) << i;
  }

  SmallMachine expected{kLoop}, actual{kLoop};
  cpu::InterpEngine interp;
  jit::JitEngine jit;
};

jit::JitOptions after(u32 threshold) {
  jit::JitOptions options;
  options.threshold = threshold;
  return options;
}

TEST(JoinedBlocks, AreLeftInTheMiddleAtEveryBudget) {
  for (u64 budget = 1; budget <= 40; ++budget) {
    Machines machines(after(8));
    for (unsigned turn = 0; turn < 200; ++turn) {
      machines.run(budget);
      if (HasFatalFailure()) FAIL() << "budget " << budget << " turn " << turn;
    }
    EXPECT_EQ(machines.jit.failures(), 0u);
    EXPECT_GE(machines.jit.joined(), budget > 8 ? 2u : 0u) << budget;
  }
}

TEST(JoinedBlocks, AreNoneWithoutThePass) {
  jit::JitOptions options = after(8);
  options.passes.remove(jit::Pass::Joins);
  Machines machines(options);
  machines.run(2000);
  EXPECT_EQ(machines.jit.joined(), 0u);
  EXPECT_GE(machines.jit.translated(), 3u);
}

TEST(JoinedBlocks, GoWithEachOfThem) {
  Machines machines(after(8));
  machines.run(1000);
  ASSERT_GE(machines.jit.joined(), 2u);
  // sub rax, rcx instead of add: a bus master writes into the second block.
  constexpr u8 kSubtract = 0x29;
  for (SmallMachine* machine : {&machines.expected, &machines.actual}) {
    machine->map.write_bytes(SmallMachine::kCode + kSecond + 1, {&kSubtract, 1});
    machine->code_pages.written(SmallMachine::kCode + kSecond + 1, 1);
  }
  const u64 before = machines.jit.joined();
  machines.run(1000);
  EXPECT_GT(machines.jit.joined(), before) << "they are joined again";
  machines.jit.flush();
  machines.interp.flush();
  machines.run(1000);
}

}  // namespace
}  // namespace reprise
