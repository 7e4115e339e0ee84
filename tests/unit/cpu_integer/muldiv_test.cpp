// cpu/sem/muldiv.cpp.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class MulDiv : public CpuFixture {
 protected:
  u64 status() { return rflags() & kRflagsStatus; }
};

TEST_F(MulDiv, MulByteGoesToAx) {
  reg(RAX) = 0xffff'ffff'ffff'ff80;
  reg(RBX) = 0x10;
  run({0xf6, 0xe3});  // mul bl
  EXPECT_EQ(reg(RAX), 0xffff'ffff'ffff'0800u);
  EXPECT_EQ(status(), kRflagsCf | kRflagsOf | kRflagsPf);
}

TEST_F(MulDiv, MulQuadGoesToRdxRax) {
  reg(RAX) = ~u64{0};
  reg(RBX) = ~u64{0};
  run({0x48, 0xf7, 0xe3});  // mul rbx
  EXPECT_EQ(reg(RAX), 1u);
  EXPECT_EQ(reg(RDX), ~u64{0} - 1);
  EXPECT_EQ(status(), kRflagsCf | kRflagsOf);
}

TEST_F(MulDiv, ZeroProductLeavesZfClear) {
  rflags() = kRflagsFixed | kRflagsStatus;
  reg(RAX) = 0;
  run({0xf7, 0xe3});  // mul ebx
  EXPECT_EQ(status(), kRflagsPf);
}

TEST_F(MulDiv, ImulOverflowsWhenTheHighHalfIsNotTheSign) {
  reg(RAX) = 0x8000'0000;
  reg(RBX) = 0xffff'ffff;
  run({0xf7, 0xeb});  // imul ebx: -2^31 * -1
  EXPECT_EQ(reg(RAX), 0x8000'0000u);
  EXPECT_EQ(reg(RDX), 0u);
  EXPECT_EQ(status(), kRflagsCf | kRflagsOf | kRflagsSf | kRflagsPf);
}

TEST_F(MulDiv, ImulOfTwoAndThreeOperands) {
  reg(RAX) = 7;
  reg(RBX) = static_cast<u64>(-3);
  run({0x48, 0x0f, 0xaf, 0xc3});  // imul rax, rbx
  EXPECT_EQ(reg(RAX), static_cast<u64>(-21));
  EXPECT_EQ(status() & (kRflagsCf | kRflagsOf), 0u);
  run({0x66, 0x6b, 0xc3, 0x80});  // imul ax, bx, -128
  EXPECT_EQ(reg(RAX), 0xffff'ffff'ffff'0180u);
}

TEST_F(MulDiv, DivDividesDoubleWidth) {
  reg(RDX) = 1;
  reg(RAX) = 5;
  reg(RBX) = 0x1'0000'0000;
  rflags() = kRflagsFixed | kRflagsStatus;
  run({0x48, 0xf7, 0xf3});  // div rbx
  EXPECT_EQ(reg(RAX), 0x1'0000'0000u);
  EXPECT_EQ(reg(RDX), 5u);
  EXPECT_EQ(status(), kRflagsStatus);
}

TEST_F(MulDiv, DivideErrors) {
  reg(RAX) = 1;
  reg(RBX) = 0;
  expect_fault({0xf7, 0xf3}, kDE);  // div ebx: by zero
  reg(RDX) = 5;
  reg(RBX) = 5;
  expect_fault({0xf7, 0xf3}, kDE);  // div ebx: quotient 2^32
  reg(RDX) = u64{1} << 63;
  reg(RAX) = 0;
  reg(RBX) = ~u64{0};
  expect_fault({0x48, 0xf7, 0xfb}, kDE);  // idiv rbx: -2^127 / -1
  reg(RAX) = 0x8000;
  expect_fault({0xf6, 0xfb}, kDE);  // idiv bl: -32768 / -1
}

TEST_F(MulDiv, IdivRoundsTowardsZero) {
  reg(RAX) = static_cast<u32>(-7);
  reg(RDX) = 0xffff'ffff;
  reg(RBX) = 2;
  run({0xf7, 0xfb});  // idiv ebx
  EXPECT_EQ(reg(RAX), static_cast<u32>(-3));
  EXPECT_EQ(reg(RDX), static_cast<u32>(-1));
}

TEST_F(MulDiv, IdivReachesTheMostNegativeQuotient) {
  reg(RDX) = ~u64{0};
  reg(RAX) = u64{1} << 63;
  reg(RBX) = 1;
  run({0x48, 0xf7, 0xfb});  // idiv rbx: -2^63 / 1
  EXPECT_EQ(reg(RAX), u64{1} << 63);
  EXPECT_EQ(reg(RDX), 0u);
}

}  // namespace
}  // namespace reprise::test
