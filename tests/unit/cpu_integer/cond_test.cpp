// cpu/sem/cond.cpp.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class Cond : public CpuFixture {};

/// SDM 1 appendix B.
bool expected(unsigned code, u64 flags) {
  const bool cf = flags & kRflagsCf, zf = flags & kRflagsZf, sf = flags & kRflagsSf, of = flags & kRflagsOf;
  const bool pf = flags & kRflagsPf;
  const bool base[] = {of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of};
  return base[code / 2] != (code % 2 == 1);
}

TEST_F(Cond, SetccAndCmovccForEveryConditionAndFlags) {
  for (unsigned code = 0; code < 16; ++code) {
    for (unsigned combination = 0; combination < 32; ++combination) {
      const u64 flags = kRflagsFixed | (combination & 1 ? kRflagsCf : 0) | (combination & 2 ? kRflagsPf : 0) |
                        (combination & 4 ? kRflagsZf : 0) | (combination & 8 ? kRflagsSf : 0) |
                        (combination & 16 ? kRflagsOf : 0);
      rflags() = flags;
      reg(RAX) = 0x1111'1111'1111'1111;
      reg(RBX) = 0x2222'2222'2222'2222;
      run({0x0f, static_cast<u8>(0x90 + code), 0xc0});  // setcc al
      EXPECT_EQ(reg(RAX), 0x1111'1111'1111'1100u + expected(code, flags)) << code << ' ' << flags;
      run({0x0f, static_cast<u8>(0x40 + code), 0xc3});  // cmovcc eax, ebx
      EXPECT_EQ(reg(RAX), expected(code, flags) ? 0x2222'2222u : 0x1111'1100u) << code << ' ' << flags;
    }
  }
}

TEST_F(Cond, CmovLoadsItsMemoryOperandWhateverTheCondition) {
  unmap(kData);
  reg(RBX) = kData;
  rflags() = kRflagsFixed;
  expect_fault({0x0f, 0x44, 0x03}, kPF, 0);  // cmovz eax, [rbx]
}

}  // namespace
}  // namespace reprise::test
