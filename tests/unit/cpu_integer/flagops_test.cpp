// cpu/sem/flagops.cpp.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class FlagOps : public CpuFixture {};

TEST_F(FlagOps, CarryAndDirection) {
  run({0xf9, 0xf5, 0xf9, 0xfd}, 4);  // stc; cmc; stc; std
  EXPECT_EQ(rflags(), kRflagsFixed | kRflagsCf | kRflagsDf);
  run({0xf8, 0xfc}, 2);  // clc; cld
  EXPECT_EQ(rflags(), kRflagsFixed);
}

TEST_F(FlagOps, LahfAndSahf) {
  reg(RAX) = 0xffff'ffff'ffff'00ff;
  rflags() = kRflagsFixed | kRflagsOf | kRflagsCf | kRflagsZf;
  run({0x9f});  // lahf
  EXPECT_EQ(reg(RAX), 0xffff'ffff'ffff'43ffu);
  reg(RAX) = 0xbe00;
  run({0x9e});  // sahf: bits 5, 3 and 1 are not flags
  EXPECT_EQ(rflags(), kRflagsFixed | kRflagsOf | kRflagsSf | kRflagsAf | kRflagsPf);
}

TEST_F(FlagOps, SignExtensions) {
  reg(RAX) = 0x8080;
  run({0x66, 0x98});  // cbw
  EXPECT_EQ(reg(RAX), 0xff80u);
  run({0x98});  // cwde
  EXPECT_EQ(reg(RAX), 0xffff'ff80u);
  run({0x48, 0x98});  // cdqe
  EXPECT_EQ(reg(RAX), 0xffff'ffff'ffff'ff80u);
  reg(RDX) = 0x1122'3344'5566'7788;
  run({0x66, 0x99});  // cwd
  EXPECT_EQ(reg(RDX), 0x1122'3344'5566'ffffu);
  reg(RAX) = 1;
  run({0x48, 0x99});  // cqo
  EXPECT_EQ(reg(RDX), 0u);
}

TEST_F(FlagOps, ClflushChecksItsAddressAndPrefetchDoesNot) {
  unmap(kData);
  reg(RBX) = kData;
  expect_fault({0x0f, 0xae, 0x3b}, kPF, 0);                   // clflush [rbx]
  EXPECT_EQ(run({0x0f, 0x18, 0x0b}), RunExit::Budget);        // prefetcht0 [rbx]
  EXPECT_EQ(run({0x0f, 0x1f, 0x03}), RunExit::Budget);        // nop dword [rbx]
  EXPECT_EQ(run({0xf3, 0x0f, 0x1e, 0xfa}), RunExit::Budget);  // endbr64
}

TEST_F(FlagOps, SalcExistsOutside64BitMode) {
  expect_fault({0xd6}, kUD);
  enter_32bit();
  rflags() = kRflagsFixed | kRflagsCf;
  run({0xd6});
  EXPECT_EQ(reg(RAX), 0xffu);
}

TEST_F(FlagOps, UndefinedInstructions) {
  expect_fault({0x0f, 0x0b}, kUD);        // ud2
  expect_fault({0x0f, 0xb9, 0xc0}, kUD);  // ud1
  expect_fault({0x0f, 0xff, 0xc0}, kUD);  // ud0
}

}  // namespace
}  // namespace reprise::test
