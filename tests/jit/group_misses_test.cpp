// A region whose probe groups miss often is made again, and calls no handlers then.
#include <gtest/gtest.h>

#include <string>

#include "cpu/engine/interp_engine.h"
#include "jit/engine/jit_engine.h"
#include "tests/jit/small_machine.h"

namespace reprise {
namespace {

using test::SmallMachine;

constexpr u8 kLoop[] = {
    0x48, 0x8b, 0x06,        // mov rax, [rsi]        a group
    0x48, 0x01, 0xc8,        // add rax, rcx
    0x48, 0x89, 0x46, 0x10,  // mov [rsi + 16], rax
    0x48, 0x83, 0xc1, 0x01,  // add rcx, 1
    0xeb, 0xf0,              // jmp to the beginning
};
constexpr u64 kInsns = 5;

/// Of `name`, as stats() tells.
u64 handler_calls(const jit::JitEngine& engine, const std::string& name) {
  const std::string text = engine.stats();
  const std::string before = " " + name + " ";
  const std::size_t at = text.find(before, text.find("handler calls from generated code:"));
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + before.size()));
}

TEST(GroupMisses, ACallInThePageAtTheEnd) {
  constexpr u8 kCalls[] = {
      0x50,                          // push rax             a group
      0xe8, 0x00, 0x00, 0x00, 0x00,  // call to what follows
      0x48, 0x83, 0xc4, 0x10,        // add rsp, 16
      0xeb, 0xf4,                    // jmp to the beginning
  };
  SmallMachine machine(kCalls);
  jit::JitOptions options;
  options.threshold = 1;
  jit::JitEngine jit(cpu::default_profile(), machine.code_pages, options);
  // One is the last in its page, the other the first in the next.
  machine.cpu->state.gpr[cpu::RSP] = SmallMachine::kData + kPageBytes + 8;
  for (unsigned round = 0; round < 100; ++round) (void)jit.run(*machine.cpu, 40);
  const u64 calls = handler_calls(jit, "CALL");
  EXPECT_GE(calls, 60u);
  EXPECT_LE(calls, 80u);
  (void)jit.run(*machine.cpu, 4000);
  EXPECT_EQ(handler_calls(jit, "CALL"), calls);
  EXPECT_EQ(machine.map.read(SmallMachine::kData + kPageBytes - 8, Width::Qword), SmallMachine::kCode + 6);
}

TEST(GroupMisses, ManyMakeTheRegionAgain) {
  SmallMachine expected(kLoop), actual(kLoop);
  cpu::InterpEngine interp(cpu::default_profile(), expected.code_pages);
  jit::JitOptions options;
  options.threshold = 1;
  jit::JitEngine jit(cpu::default_profile(), actual.code_pages, options);
  // The group crosses into the next page, its accesses do not.
  for (SmallMachine* machine : {&expected, &actual})
    machine->cpu->state.gpr[cpu::RSI] = SmallMachine::kData + kPageBytes - 16;
  const auto run = [&](u64 rounds) {
    (void)interp.run(*expected.cpu, rounds * kInsns);
    (void)jit.run(*actual.cpu, rounds * kInsns);
    for (unsigned i = 0; i < 16; ++i) ASSERT_EQ(actual.cpu->state.gpr[i], expected.cpu->state.gpr[i]) << i;
    ASSERT_EQ(actual.cpu->state.rflags, expected.cpu->state.rflags);
  };
  run(10);
  EXPECT_EQ(jit.translated(), 1u);
  EXPECT_EQ(handler_calls(jit, "MOV"), 20u);
  run(100);
  run(100);  // the engine comes by in between
  EXPECT_EQ(jit.translated(), 2u);
  EXPECT_EQ(handler_calls(jit, "MOV"), 220u);
  run(1000);
  EXPECT_EQ(jit.translated(), 2u);
  EXPECT_EQ(handler_calls(jit, "MOV"), 220u);
}

}  // namespace
}  // namespace reprise
