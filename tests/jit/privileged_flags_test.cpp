// STI, CLI, PUSHF, POPF and SWAPGS in generated code: flags, boundaries and shadows are the interpreter's, whatever waits.
#include <gtest/gtest.h>

#include <tuple>
#include <utility>
#include <vector>

#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

using test::SmallMachine;

constexpr u8 kLoop[] = {
    0xfa,                                      // cli
    0x9c,                                      // pushfq
    0x48, 0x01, 0xd1,                          // add rcx, rdx
    0xfb,                                      // sti
    0x48, 0xff, 0xc6,                          // inc rsi
    0xfb,                                      // sti           where IF is set
    0x9c,                                      // pushfq
    0x48, 0x29, 0xd0,                          // sub rax, rdx  other flags
    0x9d,                                      // popfq
    0x0f, 0x92, 0xc3,                          // setc bl
    0x0f, 0x01, 0xf8,                          // swapgs
    0x65, 0x48, 0x8b, 0x3c, 0x25, 0, 0, 0, 0,  // mov rdi, gs:[0]
    0x0f, 0x01, 0xf8,                          // swapgs
    0x9d,                                      // popfq         clears IF
    0x41, 0x50,                                // push r8       flags of the test's choice
    0x9d,                                      // popfq
    0x0f, 0x94, 0xc7,                          // setz bh
    0x41, 0x50,                                // push r8
    0x66, 0x9d,                                // popf          two bytes of it
    0x48, 0x83, 0xc4, 0x06,                    // add rsp, 6
    0xfb,                                      // sti           the last one of its block
    0xeb, 0xcd,                                // jmp to the beginning
};

/// What the engine told, and what was there then.
using Stop = std::tuple<cpu::RunExit, u64, u64, u64, bool, u64, u64>;

/// Runs as Vcpu::run() does with what waits not being taken: `budget` at once, one instruction in a shadow.
std::vector<Stop> run(SmallMachine& machine, cpu::Engine& engine, u64 budget, u64 flags, bool waits) {
  cpu::CpuState& state = machine.cpu->state;
  state.gpr[cpu::RSP] = SmallMachine::kData + 0x800;
  state.gpr[cpu::R8] = flags;
  state.seg[cpu::GS].base = SmallMachine::kData;
  state.kernel_gs_base = SmallMachine::kData + 0x100;
  machine.map.write(SmallMachine::kData, Width::Qword, 1);
  machine.map.write(SmallMachine::kData + 0x100, Width::Qword, 2);
  machine.set_interrupt(waits);
  std::vector<Stop> stops;
  constexpr u64 kInsns = 400;
  while (state.retired < kInsns) {
    const bool shadow = std::exchange(state.sti_shadow, false);
    const u64 left = std::min(budget, kInsns - state.retired);
    const cpu::RunExit exit = engine.run(*machine.cpu, shadow ? 1 : left);
    stops.emplace_back(exit, state.retired, state.rip, state.rflags, state.sti_shadow, state.gpr[cpu::RDI],
                       state.gpr[cpu::RBX]);
    if (exit == cpu::RunExit::Fault) break;
  }
  return stops;
}

void compare(u64 flags, bool waits, jit::PassSet passes, u32 threshold) {
  for (u64 budget = 1; budget <= 64; ++budget) {
    SmallMachine expected(kLoop), actual(kLoop);
    cpu::InterpEngine interp(cpu::default_profile(), expected.code_pages);
    jit::JitOptions options;
    options.threshold = threshold;
    options.passes = passes;
    jit::JitEngine jit(cpu::default_profile(), actual.code_pages, options);
    const std::vector<Stop> was = run(expected, interp, budget, flags, waits);
    const std::vector<Stop> is = run(actual, jit, budget, flags, waits);
    ASSERT_EQ(is, was) << "flags " << flags << ", waits " << waits << ", budget " << budget;
    EXPECT_GE(was.size(), 5u);
  }
}

constexpr u64 kFlags[] = {
    cpu::kRflagsFixed,
    cpu::kRflagsFixed | cpu::kRflagsStatus | cpu::kRflagsDf,
    cpu::kRflagsFixed | cpu::kRflagsZf | cpu::kRflagsNt | cpu::kRflagsId,
    cpu::kRflagsFixed | cpu::kRflagsIf | cpu::kRflagsCf,
    cpu::kRflagsFixed | cpu::kRflagsAc,
    cpu::kRflagsFixed | cpu::kRflagsIopl | cpu::kRflagsOf,
    cpu::kRflagsFixed | cpu::kRflagsRf | cpu::kRflagsVip | cpu::kRflagsVif,
};

TEST(PrivilegedFlags, AreThoseOfTheInterpreter) {
  for (const u64 flags : kFlags)
    for (const bool waits : {false, true}) compare(flags, waits, jit::PassSet::all(), 1);
}

TEST(PrivilegedFlags, AreThoseOfTheirHandlers) {
  jit::PassSet passes = jit::PassSet::all();
  passes.remove(jit::Pass::System);
  for (const u64 flags : kFlags) compare(flags, true, passes, 1);
}

}  // namespace
}  // namespace reprise
