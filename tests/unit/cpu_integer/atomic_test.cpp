// cpu/sem/atomic.cpp.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class Atomic : public CpuFixture {};

TEST_F(Atomic, Xchg) {
  poke<u32>(kData, 0x1111);
  reg(RBX) = kData;
  reg(RAX) = 0xffff'ffff'0000'2222;
  run({0x87, 0x03});  // xchg [rbx], eax
  EXPECT_EQ(peek<u32>(kData), 0x2222u);
  EXPECT_EQ(reg(RAX), 0x1111u);
  reg(RCX) = 0x77;
  run({0x48, 0x91});  // xchg rcx, rax
  EXPECT_EQ(reg(RAX), 0x77u);
  EXPECT_EQ(reg(RCX), 0x1111u);
}

TEST_F(Atomic, XaddOfARegisterWithItselfDoubles) {
  reg(RAX) = 21;
  run({0x48, 0x0f, 0xc1, 0xc0});  // xadd rax, rax
  EXPECT_EQ(reg(RAX), 42u);
  poke<u8>(kData, 0xff);
  reg(RBX) = kData;
  reg(RAX) = 1;
  run({0xf0, 0x0f, 0xc0, 0x03});  // lock xadd [rbx], al
  EXPECT_EQ(peek<u8>(kData), 0u);
  EXPECT_EQ(reg(RAX), 0xffu);
  EXPECT_EQ(rflags() & kRflagsStatus, kRflagsCf | kRflagsZf | kRflagsAf | kRflagsPf);
}

TEST_F(Atomic, CmpxchgEqualWritesTheDestination) {
  poke<u64>(kData, 5);
  reg(RBX) = kData;
  reg(RAX) = 5;
  reg(RCX) = 9;
  run({0xf0, 0x48, 0x0f, 0xb1, 0x0b});  // lock cmpxchg [rbx], rcx
  EXPECT_EQ(peek<u64>(kData), 9u);
  EXPECT_EQ(reg(RAX), 5u);
  EXPECT_EQ(rflags() & kRflagsZf, kRflagsZf);
}

TEST_F(Atomic, CmpxchgUnequalLoadsTheAccumulatorOnly) {
  reg(RAX) = 0x1111'1111'0000'0005;
  reg(RBX) = 0x2222'2222'0000'0006;
  reg(RCX) = 9;
  run({0x0f, 0xb1, 0xcb});  // cmpxchg ebx, ecx
  EXPECT_EQ(reg(RAX), 6u);
  EXPECT_EQ(reg(RBX), 0x2222'2222'0000'0006u);
  run({0x0f, 0xb1, 0xcb});
  EXPECT_EQ(reg(RBX), 9u);
}

TEST_F(Atomic, CmpxchgNeedsWritePermissionEvenWhenUnequal) {
  enter_64bit(3);
  map(kData, kData, mmu::kPteP | mmu::kPteUs);
  reg(RBX) = kData;
  reg(RAX) = 1;
  expect_fault({0x0f, 0xb1, 0x0b}, kPF, mmu::kPfP | mmu::kPfW | mmu::kPfU);
}

TEST_F(Atomic, Cmpxchg8b) {
  poke<u64>(kData, 0x2222'2222'1111'1111);
  reg(RBX) = kData;
  reg(RSI) = kData;
  reg(RAX) = 0x1111'1111;
  reg(RDX) = 0x2222'2222;
  reg(RBX) = 0x3333'3333;
  reg(RCX) = 0x4444'4444;
  rflags() = kRflagsFixed | kRflagsCf;
  run({0x0f, 0xc7, 0x0e});  // cmpxchg8b [rsi]
  EXPECT_EQ(peek<u64>(kData), 0x4444'4444'3333'3333u);
  EXPECT_EQ(rflags(), kRflagsFixed | kRflagsCf | kRflagsZf);
  run({0x0f, 0xc7, 0x0e});
  EXPECT_EQ(reg(RAX), 0x3333'3333u);
  EXPECT_EQ(reg(RDX), 0x4444'4444u);
  EXPECT_EQ(rflags(), kRflagsFixed | kRflagsCf);
}

TEST_F(Atomic, Cmpxchg16bNeedsAlignment) {
  reg(RSI) = kData + 8;
  expect_fault({0xf0, 0x48, 0x0f, 0xc7, 0x0e}, kGP);
  poke<u64>(kData, 1);
  poke<u64>(kData + 8, 2);
  reg(RSI) = kData;
  reg(RAX) = 1, reg(RDX) = 2, reg(RBX) = 3, reg(RCX) = 4;
  run({0xf0, 0x48, 0x0f, 0xc7, 0x0e});
  EXPECT_EQ(peek<u64>(kData), 3u);
  EXPECT_EQ(peek<u64>(kData + 8), 4u);
}

}  // namespace
}  // namespace reprise::test
