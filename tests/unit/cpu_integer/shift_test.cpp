// cpu/sem/shift.cpp. Values of undefined flags are those of an Intel processor (docs/undefined.md).
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class Shift : public CpuFixture {
 protected:
  u64 status() { return rflags() & kRflagsStatus; }
};

TEST_F(Shift, CountIsMaskedToFiveBitsBelow64) {
  reg(RAX) = 3;
  reg(RCX) = 33;
  run({0xd3, 0xe0});  // shl eax, cl
  EXPECT_EQ(reg(RAX), 6u);
}

TEST_F(Shift, CountIsMaskedToSixBitsAt64) {
  reg(RAX) = 3;
  reg(RCX) = 33;
  run({0x48, 0xd3, 0xe0});  // shl rax, cl
  EXPECT_EQ(reg(RAX), u64{3} << 33);
}

TEST_F(Shift, CountZeroKeepsFlagsAndClearsTheUpperHalf) {
  reg(RAX) = 0x1122334455667788;
  reg(RCX) = 32;
  rflags() = kRflagsFixed | kRflagsStatus;
  run({0xd3, 0xe0});  // shl eax, cl
  EXPECT_EQ(reg(RAX), 0x55667788u);
  EXPECT_EQ(status(), kRflagsStatus);
}

TEST_F(Shift, ByteShiftBeyondItsWidthLosesTheCarry) {
  reg(RAX) = 0xff;
  reg(RCX) = 9;
  run({0xd2, 0xe0});  // shl al, cl
  EXPECT_EQ(reg(RAX), 0u);
  EXPECT_EQ(status(), kRflagsZf | kRflagsPf);
}

TEST_F(Shift, ShlByWidthCarriesBitZero) {
  reg(RAX) = 0x01;
  reg(RCX) = 8;
  run({0xd2, 0xe0});  // shl al, cl
  EXPECT_EQ(status(), kRflagsZf | kRflagsPf | kRflagsCf);
}

TEST_F(Shift, OverflowIsThatOfAShiftByOne) {
  reg(RAX) = 0x4000'0000;
  run({0xc1, 0xe0, 0x03});  // shl eax, 3: the sign changes on the first step
  EXPECT_EQ(status() & kRflagsOf, kRflagsOf);
  reg(RAX) = 0x8000'0000;
  run({0xc1, 0xe8, 0x03});  // shr eax, 3
  EXPECT_EQ(reg(RAX), 0x1000'0000u);
  EXPECT_EQ(status() & kRflagsOf, kRflagsOf);
  run({0xc1, 0xf8, 0x03});  // sar eax, 3
  EXPECT_EQ(status() & kRflagsOf, 0u);
}

TEST_F(Shift, SarFillsWithTheSign) {
  reg(RAX) = 0x80;
  run({0xc0, 0xf8, 0x1f});  // sar al, 31
  EXPECT_EQ(reg(RAX), 0xffu);
  EXPECT_EQ(status(), kRflagsCf | kRflagsSf | kRflagsPf);
}

TEST_F(Shift, RotateByImmediateKeepsOverflowByClDoesNot) {
  reg(RAX) = 0x4000'0000;
  reg(RCX) = 5;
  rflags() = kRflagsFixed;
  run({0xc1, 0xc0, 0x05});  // rol eax, 5
  EXPECT_EQ(reg(RAX), 8u);
  EXPECT_EQ(status(), 0u);
  reg(RAX) = 0x4000'0000;
  run({0xd3, 0xc0});  // rol eax, cl
  EXPECT_EQ(reg(RAX), 8u);
  EXPECT_EQ(status(), kRflagsOf);
  poke<u32>(kData, 0x4000'0000);
  reg(RBX) = kData;
  rflags() = kRflagsFixed;
  run({0xc1, 0x03, 0x05});  // rol dword [rbx], 5
  EXPECT_EQ(status(), kRflagsOf);
}

TEST_F(Shift, RotateByAMultipleOfTheWidthStillSetsCarry) {
  reg(RAX) = 0x81;
  rflags() = kRflagsFixed;
  run({0xc0, 0xc0, 0x08});  // rol al, 8
  EXPECT_EQ(reg(RAX), 0x81u);
  EXPECT_EQ(status(), kRflagsCf);
}

TEST_F(Shift, RclRotatesThroughCarry) {
  reg(RAX) = 0x80;
  rflags() = kRflagsFixed | kRflagsCf;
  run({0xd0, 0xd0});  // rcl al, 1
  EXPECT_EQ(reg(RAX), 1u);
  EXPECT_EQ(status(), kRflagsCf | kRflagsOf);
  run({0xc0, 0xd0, 0x09});  // rcl al, 9: a whole turn
  EXPECT_EQ(reg(RAX), 1u);
  EXPECT_EQ(status(), kRflagsCf | kRflagsOf);
}

TEST_F(Shift, RcrRotatesThroughCarryAt64Bits) {
  reg(RAX) = 1;
  rflags() = kRflagsFixed | kRflagsCf;
  run({0x48, 0xc1, 0xd8, 0x3f});  // rcr rax, 63
  EXPECT_EQ(reg(RAX), 6u);
  EXPECT_EQ(status() & kRflagsCf, 0u);
}

TEST_F(Shift, ShldTakesBitsFromTheSource) {
  reg(RAX) = 0x1234'5678;
  reg(RBX) = 0x9abc'def0;
  run({0x0f, 0xa4, 0xd8, 0x08});  // shld eax, ebx, 8
  EXPECT_EQ(reg(RAX), 0x3456'789au);
}

TEST_F(Shift, ShldOfAWordBeyondSixteenGoesOnInTheDestination) {
  reg(RAX) = 0x1234;
  reg(RBX) = 0x5678;
  run({0x66, 0x0f, 0xa4, 0xd8, 0x14});  // shld ax, bx, 20
  EXPECT_EQ(reg(RAX), 0x6781u);
  reg(RAX) = 0x1234;
  run({0x66, 0x0f, 0xac, 0xd8, 0x14});  // shrd ax, bx, 20
  EXPECT_EQ(reg(RAX), 0x4567u);
}

TEST_F(Shift, MemoryDestinationOnAReadOnlyPageFaultsEvenForCountZero) {
  enter_64bit(3);
  map(kData, kData, mmu::kPteP | mmu::kPteUs);
  reg(RBX) = kData;
  reg(RCX) = 0;
  expect_fault({0xd3, 0x23}, kPF, mmu::kPfP | mmu::kPfW | mmu::kPfU);  // shl dword [rbx], cl
}

}  // namespace
}  // namespace reprise::test
