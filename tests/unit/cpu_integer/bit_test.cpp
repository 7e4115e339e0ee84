// cpu/sem/bit.cpp.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class Bits : public CpuFixture {
 protected:
  u64 status() { return rflags() & kRflagsStatus; }
};

TEST_F(Bits, RegisterOffsetReachesBeyondTheMemoryOperand) {
  reg(RBX) = kData;
  reg(RAX) = 100;
  run({0x0f, 0xab, 0x03});  // bts [rbx], eax
  EXPECT_EQ(peek<u32>(kData + 12), 1u << 4);
  EXPECT_EQ(status() & kRflagsCf, 0u);
  reg(RAX) = static_cast<u64>(-1);
  poke<u8>(kData - 1, 0x80);
  run({0x48, 0x0f, 0xb3, 0x03});  // btr [rbx], rax
  EXPECT_EQ(peek<u8>(kData - 1), 0u);
  EXPECT_EQ(status() & kRflagsCf, kRflagsCf);
}

TEST_F(Bits, ImmediateOffsetStaysInTheOperand) {
  reg(RBX) = kData;
  run({0x0f, 0xba, 0x3b, 0x21});  // btc dword [rbx], 33
  EXPECT_EQ(peek<u64>(kData), 2u);
}

TEST_F(Bits, BtOnlyReads) {
  enter_64bit(3);
  map(kData, kData, mmu::kPteP | mmu::kPteUs);
  reg(RBX) = kData;
  EXPECT_EQ(run({0x0f, 0xba, 0x23, 0x01}), RunExit::Budget);                       // bt dword [rbx], 1
  expect_fault({0x0f, 0xba, 0x2b, 0x01}, kPF, mmu::kPfP | mmu::kPfW | mmu::kPfU);  // bts dword [rbx], 1
}

TEST_F(Bits, BtKeepsOtherFlagsAndRegisterDestinationsWrap) {
  rflags() = kRflagsFixed | (kRflagsStatus & ~kRflagsCf);
  reg(RAX) = 0x1122'3344'0000'0002;
  reg(RCX) = 33;
  run({0x0f, 0xa3, 0xc8});  // bt eax, ecx
  EXPECT_EQ(status(), kRflagsStatus);
  EXPECT_EQ(reg(RAX), 0x1122'3344'0000'0002u);
  run({0x0f, 0xbb, 0xc8});  // btc eax, ecx
  EXPECT_EQ(reg(RAX), 0u);
}

TEST_F(Bits, ScanOfZeroKeepsTheWholeDestination) {
  reg(RAX) = 0x1122'3344'5566'7788;
  reg(RBX) = 0;
  run({0x0f, 0xbc, 0xc3});  // bsf eax, ebx
  EXPECT_EQ(reg(RAX), 0x1122'3344'5566'7788u);
  EXPECT_EQ(status(), kRflagsZf | kRflagsPf);
}

TEST_F(Bits, ScanFindsTheEnds) {
  reg(RBX) = 0x0010'0800;
  rflags() = kRflagsFixed | kRflagsStatus;
  run({0x48, 0x0f, 0xbc, 0xc3});  // bsf rax, rbx
  EXPECT_EQ(reg(RAX), 11u);
  EXPECT_EQ(status(), 0u);
  run({0x48, 0x0f, 0xbd, 0xc3});  // bsr rax, rbx
  EXPECT_EQ(reg(RAX), 20u);
  EXPECT_EQ(status(), kRflagsPf);
}

TEST_F(Bits, Bswap) {
  reg(RAX) = 0x1122'3344'5566'7788;
  run({0x48, 0x0f, 0xc8});  // bswap rax
  EXPECT_EQ(reg(RAX), 0x8877'6655'4433'2211u);
  run({0x0f, 0xc8});  // bswap eax
  EXPECT_EQ(reg(RAX), 0x1122'3344u);
  run({0x66, 0x0f, 0xc8});  // bswap ax
  EXPECT_EQ(reg(RAX), 0x1122'0000u);
}

TEST_F(Bits, Popcnt) {
  reg(RBX) = 0xf0f0'0000'0000'0001;
  rflags() = kRflagsFixed | kRflagsStatus;
  run({0xf3, 0x48, 0x0f, 0xb8, 0xc3});  // popcnt rax, rbx
  EXPECT_EQ(reg(RAX), 9u);
  EXPECT_EQ(status(), 0u);
}

TEST_F(Bits, Crc32OfTheCheckString) {
  // CRC-32C of "123456789" is E3069283, with inverted start and end.
  const char text[] = "123456789";
  reg(RAX) = 0xffff'ffff;
  for (unsigned i = 0; i < 8; i += 4) {
    reg(RBX) = read_unaligned<u32>(text + i);
    run({0xf2, 0x0f, 0x38, 0xf1, 0xc3});  // crc32 eax, ebx
  }
  reg(RBX) = static_cast<u8>(text[8]);
  run({0xf2, 0x0f, 0x38, 0xf0, 0xc3});  // crc32 eax, bl
  EXPECT_EQ(~static_cast<u32>(reg(RAX)), 0xe306'9283u);
}

}  // namespace
}  // namespace reprise::test
