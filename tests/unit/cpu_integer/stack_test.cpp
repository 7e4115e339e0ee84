// cpu/sem/stack.cpp and cpu/sem/stack_ops.h.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class Stack : public CpuFixture {};

TEST_F(Stack, PushRspStoresTheOldValueAndPopRspLoads) {
  run({0x54});  // push rsp
  EXPECT_EQ(peek<u64>(kStackTop - 8), kStackTop);
  EXPECT_EQ(reg(RSP), kStackTop - 8);
  poke<u64>(kStackTop - 8, 0x1234);
  run({0x5c});  // pop rsp
  EXPECT_EQ(reg(RSP), 0x1234u);
}

TEST_F(Stack, PopToMemoryUsesTheIncrementedPointer) {
  poke<u64>(kStackTop, 0x99);
  run({0x8f, 0x04, 0x24});  // pop [rsp]
  EXPECT_EQ(peek<u64>(kStackTop + 8), 0x99u);
  EXPECT_EQ(reg(RSP), kStackTop + 8);
}

TEST_F(Stack, PopToMemoryThatFaultsKeepsThePointer) {
  unmap(kData);
  reg(RBX) = kData;
  expect_fault({0x8f, 0x03}, kPF, mmu::kPfW);  // pop [rbx]
}

TEST_F(Stack, ImmediatesAreSignExtended) {
  run({0x6a, 0x80});  // push -128
  EXPECT_EQ(peek<u64>(kStackTop - 8), static_cast<u64>(-128));
  run({0x66, 0x6a, 0x80});  // push word -128
  EXPECT_EQ(peek<u16>(kStackTop - 10), 0xff80u);
  EXPECT_EQ(reg(RSP), kStackTop - 10);
}

TEST_F(Stack, NonCanonicalStackPointerGivesStackFault) {
  reg(RSP) = u64{1} << 63;
  expect_fault({0x50}, kSS);              // push rax
  expect_fault({0x8b, 0x04, 0x24}, kSS);  // mov eax, [rsp]
  reg(RBX) = u64{1} << 63;
  expect_fault({0x8b, 0x03}, kGP);  // mov eax, [rbx]
}

TEST_F(Stack, PushThatFaultsKeepsThePointer) {
  unmap(kStackTop - 8);
  expect_fault({0x50}, kPF, mmu::kPfW);
}

TEST_F(Stack, PushadAndPopad) {
  enter_32bit();
  for (unsigned i = 0; i < 8; ++i) {
    if (i != RSP) state().gpr[i] = 0x100 + i;
  }
  run({0x60});  // pushad
  EXPECT_EQ(reg(RSP), kStackTop - 32);
  EXPECT_EQ(peek<u32>(kStackTop - 4), 0x100u);
  EXPECT_EQ(peek<u32>(kStackTop - 20), kStackTop);
  EXPECT_EQ(peek<u32>(kStackTop - 32), 0x107u);
  for (unsigned i = 0; i < 8; ++i) {
    if (i != RSP) state().gpr[i] = 0;
  }
  run({0x61});  // popad
  EXPECT_EQ(reg(RSP), kStackTop);
  EXPECT_EQ(reg(RDI), 0x107u);
  EXPECT_EQ(reg(RAX), 0x100u);
}

TEST_F(Stack, PushadThatFaultsInTheMiddleWritesNothing) {
  enter_32bit();
  state().seg[SS].limit = 0x2fff;
  state().seg[SS].access |= Segment::kExpandDown;  // valid offsets start at 3000
  apply();
  reg(RSP) = 0x3010;
  poke<u32>(0x300c, 0x55);
  expect_fault({0x60}, kSS);
  EXPECT_EQ(peek<u32>(0x300c), 0x55u);
}

TEST_F(Stack, EnterMakesAFrameAndLeaveDropsIt) {
  reg(RBP) = 0x7777;
  run({0xc8, 0x20, 0x00, 0x00});  // enter 32, 0
  EXPECT_EQ(reg(RBP), kStackTop - 8);
  EXPECT_EQ(reg(RSP), kStackTop - 8 - 32);
  EXPECT_EQ(peek<u64>(kStackTop - 8), 0x7777u);
  run({0xc9});  // leave
  EXPECT_EQ(reg(RBP), 0x7777u);
  EXPECT_EQ(reg(RSP), kStackTop);
}

TEST_F(Stack, EnterCopiesTheDisplay) {
  reg(RBP) = kData;
  poke<u64>(kData - 8, 0xaaaa);
  poke<u64>(kData - 16, 0xbbbb);
  run({0xc8, 0x00, 0x00, 0x03});  // enter 0, 3
  EXPECT_EQ(peek<u64>(kStackTop - 8), kData);
  EXPECT_EQ(peek<u64>(kStackTop - 16), 0xaaaau);
  EXPECT_EQ(peek<u64>(kStackTop - 24), 0xbbbbu);
  EXPECT_EQ(peek<u64>(kStackTop - 32), kStackTop - 8);
  EXPECT_EQ(reg(RBP), kStackTop - 8);
  EXPECT_EQ(reg(RSP), kStackTop - 32);
}

TEST_F(Stack, EnterChecksTheNewTopOfStack) {
  unmap(kStackTop - 0x2000);
  poke<u64>(kStackTop - 8, 0x55);
  reg(RSP) = kStackTop;
  expect_fault({0xc8, 0x00, 0x10, 0x00}, kPF, mmu::kPfW);  // enter 4096, 0
  EXPECT_EQ(peek<u64>(kStackTop - 8), 0x55u);
}

TEST_F(Stack, SixteenBitStackKeepsTheUpperHalfOfRsp) {
  enter_32bit();
  state().seg[SS].access &= static_cast<u16>(~Segment::kDb);
  apply();
  reg(RSP) = 0xabcd'0002;
  run({0x50});  // push eax
  EXPECT_EQ(reg(RSP), 0xabcd'fffeu);
  EXPECT_EQ(peek<u32>(0xfffe), 0u);
}

}  // namespace
}  // namespace reprise::test
