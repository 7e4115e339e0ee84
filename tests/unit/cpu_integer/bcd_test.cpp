// cpu/sem/bcd.cpp.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class Bcd : public CpuFixture {
 protected:
  Bcd() { enter_32bit(); }
  u64 status() { return rflags() & kRflagsStatus; }
};

/// Two-digit packed decimal.
u8 packed(unsigned value) { return static_cast<u8>(value / 10 << 4 | value % 10); }

TEST_F(Bcd, DaaCorrectsEverySum) {
  for (unsigned a = 0; a < 100; ++a) {
    for (unsigned b = 0; b < 100; b += 7) {
      reg(RAX) = packed(a);
      reg(RBX) = packed(b);
      run({0x00, 0xd8, 0x27}, 2);  // add al, bl; daa
      EXPECT_EQ(reg(RAX), packed((a + b) % 100)) << a << '+' << b;
      EXPECT_EQ(status() & kRflagsCf, a + b >= 100 ? kRflagsCf : 0u) << a << '+' << b;
    }
  }
}

TEST_F(Bcd, DasCorrectsEveryDifference) {
  for (unsigned a = 0; a < 100; ++a) {
    for (unsigned b = 0; b < 100; b += 7) {
      reg(RAX) = packed(a);
      reg(RBX) = packed(b);
      run({0x28, 0xd8, 0x2f}, 2);  // sub al, bl; das
      EXPECT_EQ(reg(RAX), packed((a + 100 - b) % 100)) << a << '-' << b;
      EXPECT_EQ(status() & kRflagsCf, a < b ? kRflagsCf : 0u) << a << '-' << b;
    }
  }
}

TEST_F(Bcd, AsciiAdjust) {
  reg(RAX) = 0x010f;
  run({0x37});  // aaa
  EXPECT_EQ(reg(RAX), 0x0205u);
  EXPECT_EQ(status() & (kRflagsCf | kRflagsAf), kRflagsCf | kRflagsAf);
  reg(RAX) = 0x0205;
  rflags() = kRflagsFixed | kRflagsAf;
  run({0x3f});  // aas
  EXPECT_EQ(reg(RAX), 0x000fu);
}

TEST_F(Bcd, AamAndAadAreInverse) {
  reg(RAX) = 97;
  run({0xd4, 0x0a});  // aam
  EXPECT_EQ(reg(RAX), 0x0907u);
  run({0xd5, 0x0a});  // aad
  EXPECT_EQ(reg(RAX), 97u);
  expect_fault({0xd4, 0x00}, kDE);  // aam 0
}

TEST_F(Bcd, NotIn64BitMode) {
  enter_64bit();
  for (const u8 opcode : {0x27, 0x2f, 0x37, 0x3f}) expect_fault({opcode}, kUD);
}

}  // namespace
}  // namespace reprise::test
