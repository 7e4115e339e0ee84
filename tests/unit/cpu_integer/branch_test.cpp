// cpu/sem/branch.cpp.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class Branch : public CpuFixture {};

TEST_F(Branch, RelativeJumps) {
  run({0xeb, 0x10});  // jmp +16
  EXPECT_EQ(state().rip, kCode + 0x12);
  run({0xeb, 0xfe});  // jmp to itself
  EXPECT_EQ(state().rip, kCode);
  run({0xe9, 0x00, 0xf0, 0xff, 0xff});  // jmp -4096
  EXPECT_EQ(state().rip, kCode + 5 - 0x1000);
  EXPECT_EQ(state().retired, 3u);
}

TEST_F(Branch, OperandSizePrefixIsIgnoredIn64BitMode) {
  run({0x66, 0xe9, 0x00, 0x01, 0x00, 0x00});  // jmp +256
  EXPECT_EQ(state().rip, kCode + 0x106);
}

TEST_F(Branch, OperandSizePrefixTruncatesTheTargetIn32BitMode) {
  enter_32bit();
  run({0x66, 0xeb, 0x10});  // jmp word +16
  EXPECT_EQ(state().rip, (kCode + 0x13) & 0xffff);
}

TEST_F(Branch, ConditionalJumps) {
  rflags() = kRflagsFixed | kRflagsZf;
  run({0x74, 0x7f});  // jz
  EXPECT_EQ(state().rip, kCode + 0x81);
  run({0x75, 0x7f});  // jnz
  EXPECT_EQ(state().rip, kCode + 2);
}

TEST_F(Branch, CallPushesTheNextRipAndRetPopsIt) {
  run({0xe8, 0x00, 0x01, 0x00, 0x00});  // call +256
  EXPECT_EQ(state().rip, kCode + 0x105);
  EXPECT_EQ(reg(RSP), kStackTop - 8);
  EXPECT_EQ(peek<u64>(kStackTop - 8), kCode + 5);
  poke<u8>(kCode + 0x105, 0xc2);  // ret 16
  poke<u16>(kCode + 0x106, 0x10);
  resume();
  EXPECT_EQ(state().rip, kCode + 5);
  EXPECT_EQ(reg(RSP), kStackTop + 0x10);
}

TEST_F(Branch, IndirectCallThroughTheStackPointerUsesItsOldValue) {
  poke<u64>(kStackTop, 0x12340);
  run({0xff, 0x14, 0x24});  // call [rsp]
  EXPECT_EQ(state().rip, 0x12340u);
  EXPECT_EQ(peek<u64>(kStackTop - 8), kCode + 3);
}

TEST_F(Branch, NonCanonicalTargetFaultsWithNothingChanged) {
  reg(RAX) = u64{1} << 47;
  expect_fault({0xff, 0xe0}, kGP);  // jmp rax
  poke<u64>(kStackTop - 8, 0x55);
  expect_fault({0xff, 0xd0}, kGP);  // call rax
  EXPECT_EQ(peek<u64>(kStackTop - 8), 0x55u);
  poke<u64>(kStackTop, reg(RAX));
  expect_fault({0xc3}, kGP);  // ret
}

TEST_F(Branch, StackFaultOfACallComesBeforeItsTarget) {
  reg(RAX) = u64{1} << 47;
  unmap(kStackTop - 8);
  expect_fault({0xff, 0xd0}, kPF, mmu::kPfW);  // call rax
}

TEST_F(Branch, TargetBeyondTheCodeLimitFaults) {
  enter_32bit();
  state().seg[CS].limit = 0x1ffff;
  apply();
  expect_fault({0xe9, 0x00, 0x00, 0x01, 0x00}, kGP);  // jmp to 20005
  run({0xe9, 0xfa, 0xff, 0x00, 0x00});                // jmp to 1ffff
  EXPECT_EQ(state().rip, 0x1ffffu);
}

TEST_F(Branch, LoopsCountInTheAddressSize) {
  reg(RCX) = 0x1'0000'0001;
  run({0x67, 0xe2, 0x10});  // loop on ecx
  EXPECT_EQ(state().rip, kCode + 3);
  EXPECT_EQ(reg(RCX), 0u);
  reg(RCX) = 0;
  run({0xe2, 0x10});  // loop on rcx
  EXPECT_EQ(state().rip, kCode + 0x12);
  EXPECT_EQ(reg(RCX), ~u64{0});
}

TEST_F(Branch, LoopeAndLoopneTestZf) {
  reg(RCX) = 5;
  rflags() = kRflagsFixed;
  run({0xe1, 0x10});  // loope
  EXPECT_EQ(state().rip, kCode + 2);
  EXPECT_EQ(reg(RCX), 4u);
  run({0xe0, 0x10});  // loopne
  EXPECT_EQ(state().rip, kCode + 0x12);
  EXPECT_EQ(reg(RCX), 3u);
}

TEST_F(Branch, Jrcxz) {
  reg(RCX) = 0x1'0000'0000;
  run({0xe3, 0x10});  // jrcxz
  EXPECT_EQ(state().rip, kCode + 2);
  run({0x67, 0xe3, 0x10});  // jecxz
  EXPECT_EQ(state().rip, kCode + 0x13);
}

TEST_F(Branch, RealModeCallWrapsTheStackPointer) {
  enter_16bit();
  state().seg[CS].base = kCode;
  state().seg[SS].base = 0x20000;
  apply();
  reg(RSP) = 0x1111'0000;
  poke_bytes(kCode, std::vector<u8>{0xe8, 0x00, 0x01});  // call +256
  state().rip = 0;
  resume();
  EXPECT_EQ(state().rip, 0x103u);
  EXPECT_EQ(reg(RSP), 0x1111'fffeu);
  EXPECT_EQ(peek<u16>(0x2fffe), 3u);
}

}  // namespace
}  // namespace reprise::test
