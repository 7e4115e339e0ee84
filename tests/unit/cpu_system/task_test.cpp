// Hardware task switches. SDM 3A chapter 7.
#include "cpu/system/task.h"
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

class Task : public SystemFixture {
 public:
  static constexpr u64 kNewTss = 0x6000, kTaskStack = 0x2e000, kTaskCode = 0x13000;
  static constexpr u16 kNewTask = kScratch;

  void SetUp() override {
    enter_32bit();
    set_descriptor(kTssSelector, descriptor(kTss, 0x67, 0x8b));
    set_descriptor(kNewTask, descriptor(kNewTss, 0x67, 0x89));
    for (unsigned i = 0; i < 0x68; ++i) poke<u8>(kNewTss + i, 0);
    poke<u32>(kNewTss + 0x20, kTaskCode);
    poke<u32>(kNewTss + 0x24, 2);
    for (unsigned i = 0; i < 8; ++i) poke<u32>(kNewTss + 0x28 + 4 * i, 0x100 + i);
    poke<u32>(kNewTss + 0x28 + 4 * RSP, kTaskStack);
    for (unsigned i = 0; i < 6; ++i) poke<u32>(kNewTss + 0x48 + 4 * i, i == CS ? kCode32 : kData0);
  }
  u8 type_of(u16 selector) { return get_descriptor(selector) >> 40 & 0xf; }
  void jump_far(u8 opcode, u16 selector) {
    expect_retires({opcode, 0, 0, 0, 0, static_cast<u8>(selector), static_cast<u8>(selector >> 8)});
  }
};

TEST_F(Task, Jump) {
  reg(RDI) = 0x1234;
  state().rflags = 0x246;
  jump_far(0xea, kNewTask);
  EXPECT_EQ(state().rip, kTaskCode);
  EXPECT_EQ(reg(RSP), kTaskStack);
  EXPECT_EQ(reg(RAX), 0x100u);
  EXPECT_EQ(reg(RDI), 0x107u);
  EXPECT_EQ(state().tr.selector, kNewTask);
  EXPECT_EQ(state().tr.base, kNewTss);
  EXPECT_TRUE(state().cr0 & mmu::kCr0Ts);
  EXPECT_EQ(type_of(kTssSelector), 9);  // available again
  EXPECT_EQ(type_of(kNewTask), 11);
  EXPECT_EQ(peek<u32>(kTss + 0x20), kCode + 7);
  EXPECT_EQ(peek<u32>(kTss + 0x24), 0x246u);
  EXPECT_EQ(peek<u32>(kTss + 0x44), 0x1234u);
  EXPECT_EQ(peek<u16>(kTss + 0x4c), kCode32);
  EXPECT_FALSE(state().rflags & kRflagsNt);
}

TEST_F(Task, CallNestsAndIretReturns) {
  jump_far(0x9a, kNewTask);
  EXPECT_EQ(type_of(kTssSelector), 11);
  EXPECT_EQ(peek<u16>(kNewTss), kTssSelector);
  EXPECT_TRUE(state().rflags & kRflagsNt);
  code({0xcf}, kTaskCode);
  state().rip = kTaskCode;
  vcpu().run(1);
  EXPECT_EQ(state().rip, kCode + 7);
  EXPECT_EQ(state().tr.selector, kTssSelector);
  EXPECT_EQ(type_of(kNewTask), 9);
  EXPECT_FALSE(peek<u32>(kNewTss + 0x24) & kRflagsNt);
}

TEST_F(Task, GateInTheIdtPushesTheErrorCodeOnTheNewStack) {
  poke<u64>(kIdt + 8 * kGP, gate_low(kNewTask, 0, 0x85));
  deliver_event(cpu(), {.vector = kGP, .has_error_code = true, .error_code = 0x1234});
  EXPECT_EQ(state().rip, kTaskCode);
  EXPECT_EQ(reg(RSP), kTaskStack - 4);
  EXPECT_EQ(peek<u32>(kTaskStack - 4), 0x1234u);
  EXPECT_EQ(peek<u32>(kTss + 0x20), kCode);
}

TEST_F(Task, FaultsOfTheOldTask) {
  const std::initializer_list<u8> jump = {0xea, 0, 0, 0, 0, kNewTask, 0};
  set_descriptor(kNewTask, descriptor(kNewTss, 0x67, 0x8b));
  expect_fault(jump, kGP, kNewTask);  // busy
  set_descriptor(kNewTask, descriptor(kNewTss, 0x67, 0x09));
  expect_fault(jump, kNP, kNewTask);
  set_descriptor(kNewTask, descriptor(kNewTss, 0x66, 0x89));
  expect_fault(jump, kTS, kNewTask);
  EXPECT_EQ(state().tr.selector, kTssSelector);
}

TEST_F(Task, FaultsOfTheNewTaskComeBeforeItsFirstInstruction) {
  poke<u32>(kNewTss + 0x48 + 4 * DS, kDataAbsent);
  const u64 retired = state().retired;
  run({0xea, 0, 0, 0, 0, kNewTask, 0}, 100);
  EXPECT_EQ(state().rip, handler(kNP) + 1);
  EXPECT_EQ(state().retired, retired + 2);  // JMP and HLT
  EXPECT_EQ(peek<u32>(reg(RSP)), kDataAbsent);
  EXPECT_EQ(peek<u32>(reg(RSP) + 4), kTaskCode);
  EXPECT_EQ(state().tr.selector, kNewTask);
}

TEST_F(Task, DebugTrapBit) {
  poke<u16>(kNewTss + 0x64, 1);
  run({0xea, 0, 0, 0, 0, kNewTask, 0}, 100);
  EXPECT_EQ(state().rip, handler(kDB) + 1);
  EXPECT_EQ(state().dr6, 0xffff8ff0u);
}

TEST_F(Task, SixteenBitTss) {
  set_descriptor(kNewTask, descriptor(kNewTss, 0x2b, 0x81));
  poke<u16>(kNewTss + 0x0e, 0x3000);
  poke<u16>(kNewTss + 0x10, 2);
  for (unsigned i = 0; i < 8; ++i) poke<u16>(kNewTss + 0x12 + 2 * i, static_cast<u16>(0x200 + i));
  for (unsigned i = 0; i < 4; ++i) poke<u16>(kNewTss + 0x22 + 2 * i, i == CS ? kCode16 : kData16);
  poke<u16>(kNewTss + 0x2a, 0);
  jump_far(0xea, kNewTask);
  EXPECT_EQ(state().rip, 0x3000u);
  EXPECT_EQ(reg(RDI) & 0xffff, 0x207u);
  EXPECT_EQ(cpu().mode.code_size(), CodeSize::Bits16);
}

TEST_F(Task, ToVirtual8086) {
  poke<u32>(kNewTss + 0x24, 0x20002);
  poke<u32>(kNewTss + 0x20, 0x10);
  poke<u32>(kNewTss + 0x4c, 0x1100);
  jump_far(0xea, kNewTask);
  EXPECT_TRUE(cpu().mode.has(ModeKey::kV86));
  EXPECT_EQ(state().seg[CS].base, 0x11000u);
  EXPECT_EQ(state().cpl, 3);
}

}  // namespace
}  // namespace reprise::test
