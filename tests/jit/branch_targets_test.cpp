// Indirect calls and jumps and returns to everything that a register can hold: what their look-ups find, what they do not, and
// what raises an exception, on the interpreter and on the JIT.
#include <gtest/gtest.h>

#include <vector>

#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

using test::SmallMachine;

constexpr u64 kMapped = u64{2} << 20;
constexpr u64 kFar = SmallMachine::kCode + 0x2000;  // in another page, with `ret` there
constexpr u64 kStack = SmallMachine::kData + 0x800;

struct Shape {
  const char* name;
  std::vector<u8> code;  // begins at kCode; ends where it jumps
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {"call rax", {0xff, 0xd0}},
      {"call r10", {0x41, 0xff, 0xd2}},
      {"push, push, call rax", {0x53, 0x51, 0xff, 0xd0}},
      {"call rsp", {0x53, 0xff, 0xd4}},
      {"call [rbx]", {0xff, 0x13}},
      {"push, call [rbx]", {0x51, 0xff, 0x13}},
      {"mov, call [rbx]", {0x48, 0x8b, 0x4b, 0x08, 0xff, 0x13}},
      {"push, push, call [rsp]", {0x50, 0x50, 0xff, 0x14, 0x24}},
      {"cmp, call rax", {0x48, 0x39, 0xd9, 0xff, 0xd0}},
      {"jmp rax", {0xff, 0xe0}},
      {"jmp [rbx]", {0xff, 0x23}},
      {"push, ret", {0x50, 0xc3}},
      {"push, push, ret 8", {0x51, 0x50, 0xc2, 0x08, 0x00}},
      {"pop, pop, ret", {0x59, 0x5a, 0xc3}},
      {"push, push, call far page", {0x50, 0x51, 0xe8, 0xf9, 0x1f, 0x00, 0x00}},
      {"push, push, call in the page; ret; inc rdx, ret",
       {0x50, 0x51, 0xe8, 0x01, 0x00, 0x00, 0x00, 0xc3, 0x48, 0xff, 0xc2, 0xc3}},
      {"call far page", {0xe8, 0xfb, 0x1f, 0x00, 0x00}},
  };
  return all;
}

void expect_equal(const SmallMachine& actual, const SmallMachine& expected, const std::string& where) {
  const cpu::CpuState& is = actual.cpu->state;
  const cpu::CpuState& was = expected.cpu->state;
  for (unsigned i = 0; i < 16; ++i) EXPECT_EQ(is.gpr[i], was.gpr[i]) << where << " register " << i;
  EXPECT_EQ(is.rip, was.rip) << where;
  EXPECT_EQ(is.rflags, was.rflags) << where;
  EXPECT_EQ(is.retired, was.retired) << where;
}

/// `shape` with `target` and `stack` on both engines, `rounds` times from the beginning, at most `budget` at once.
void compare(const Shape& shape, u64 target, u64 stack, u64 budget, jit::PassSet passes,
             unsigned rounds = 6) {
  SmallMachine expected(shape.code), actual(shape.code);
  cpu::InterpEngine interp(cpu::default_profile(), expected.code_pages);
  jit::JitOptions options;
  options.threshold = 2;
  options.passes = passes;
  jit::JitEngine jit(cpu::default_profile(), actual.code_pages, options);
  const std::string where = std::string(shape.name) + " to " + std::to_string(target) + ", stack " +
                            std::to_string(stack) + ", budget " + std::to_string(budget);
  for (unsigned round = 0; round < rounds; ++round) {
    cpu::RunExit exits[2];
    unsigned at = 0;
    for (SmallMachine* machine : {&expected, &actual}) {
      cpu::CpuState& state = machine->cpu->state;
      if (round == 0) {
        // inc rdx; ret. And the stop behind the shape.
        constexpr u8 kThere[] = {0x48, 0xff, 0xc2, 0xc3};
        machine->map.write_bytes(kFar, kThere);
      }
      state.rip = SmallMachine::kCode;
      state.gpr[cpu::RAX] = state.gpr[cpu::R10] = target;
      state.gpr[cpu::RBX] = SmallMachine::kData + 0x100;
      state.gpr[cpu::RCX] = round;
      state.gpr[cpu::RSP] = stack;
      machine->map.write(SmallMachine::kData + 0x100, Width::Qword, target);
      if (stack < SmallMachine::kRamBytes - 0x100) machine->map.write(stack + 16, Width::Qword, target);
      cpu::Engine& engine = machine == &expected ? static_cast<cpu::Engine&>(interp) : jit;
      const u64 end = state.retired + 12;
      exits[at] = cpu::RunExit::Budget;
      while (state.retired < end && exits[at] == cpu::RunExit::Budget)
        exits[at] = engine.run(*machine->cpu, std::min(budget, end - state.retired));
      ++at;
    }
    ASSERT_EQ(exits[1], exits[0]) << where << " round " << round;
    if (exits[0] == cpu::RunExit::Fault) {
      EXPECT_EQ(actual.cpu->fault.vector, expected.cpu->fault.vector) << where;
      EXPECT_EQ(actual.cpu->fault.error_code, expected.cpu->fault.error_code) << where;
      EXPECT_EQ(actual.cpu->fault.linear, expected.cpu->fault.linear) << where;
    }
    expect_equal(actual, expected, where + " round " + std::to_string(round));
    for (u64 byte = 0; byte < kPageBytes; byte += 8) {
      const u64 phys = SmallMachine::kData + byte;
      ASSERT_EQ(actual.map.read(phys, Width::Qword), expected.map.read(phys, Width::Qword)) << where;
    }
  }
}

constexpr u64 kTargets[] = {kFar,
                            kFar + 3,
                            SmallMachine::kCode,
                            kMapped,             // not mapped
                            u64{1} << 47,        // not canonical
                            u64{0xffff8} << 44,  // canonical, not mapped
                            0xdead'beef'0000'1234,
                            ~u64{0}};
constexpr u64 kStacks[] = {kStack, SmallMachine::kData + 4, kMapped + 8, kMapped, u64{1} << 47, 8, 0};

TEST(BranchTargets, AreFoundOrRaiseAsTheInterpreterSays) {
  for (const Shape& shape : shapes())
    for (const u64 target : kTargets)
      for (const u64 budget : {u64{1}, u64{2}, u64{3}, u64{100}})
        compare(shape, target, kStack, budget, jit::PassSet::all());
}

TEST(BranchTargets, StackFaultsLeaveEverythingAlone) {
  for (const Shape& shape : shapes())
    for (const u64 stack : kStacks) compare(shape, kFar, stack, 100, jit::PassSet::all());
}

TEST(BranchTargets, BehindGroupsThatMissOften) {
  // Each with accesses on both sides of a page's end, some with one that crosses it.
  for (const Shape& shape : shapes())
    for (const u64 stack : {8, 12, 16})
      compare(shape, kFar, SmallMachine::kData + 0x1000 - 16 + stack, 100, jit::PassSet::all(), 200);
}

TEST(BranchTargets, WithoutLookUpsInGeneratedCodeOrGroups) {
  for (const jit::Pass pass :
       {jit::Pass::Jumps, jit::Pass::Groups, jit::Pass::SecondLevel, jit::Pass::Links}) {
    jit::PassSet passes = jit::PassSet::all();
    passes.remove(pass);
    for (const Shape& shape : shapes())
      for (const u64 target : kTargets) compare(shape, target, kStack, 100, passes);
  }
}

}  // namespace
}  // namespace reprise
