// Where processors of AMD differ from Intel's. APM 2 6.1, APM 3.
#include "cpu/profile/cpu_model.h"
#include "cpu/system/msr.h"
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

const CpuProfile& amd_profile() {
  static const CpuProfile profile = parse_cpu_model("default,vendor=amd").take();
  return profile;
}
const CpuProfile& intel_profile() { return default_profile(); }

class Amd : public CpuFixture {
 protected:
  explicit Amd(const CpuProfile& profile = amd_profile()) : CpuFixture(profile) {}
};
class Intel : public CpuFixture {
 protected:
  Intel() : CpuFixture(intel_profile()) {}
};

// --- Near branches with 66h ---

TEST_F(Amd, OperandSizePrefixMakesBranchesSixteenBit) {
  EXPECT_NE(run({0x66, 0xe9, 0x10, 0x00}), RunExit::Fault);  // jmp rel16
  EXPECT_EQ(state().rip, (kCode + 4 + 0x10) & 0xffff);
  run({0x66, 0xeb, 0x10});  // jmp rel8
  EXPECT_EQ(state().rip, (kCode + 3 + 0x10) & 0xffff);
  reg(RAX) = 0x123456;
  run({0x66, 0xff, 0xe0});  // jmp ax
  EXPECT_EQ(state().rip, 0x3456u);
  run({0x66, 0xe8, 0x00, 0x00});  // call rel16
  EXPECT_EQ(state().rip, (kCode + 4) & 0xffff);
  EXPECT_EQ(reg(RSP), kStackTop - 2);
  EXPECT_EQ(peek<u16>(kStackTop - 2), (kCode + 4) & 0xffff);
  poke<u16>(kStackTop - 2, 0x1234);
  run({0x66, 0xc3});  // ret
  EXPECT_EQ(state().rip, 0x1234u);
  EXPECT_EQ(reg(RSP), kStackTop);
  rflags() |= kRflagsZf;
  run({0x66, 0x0f, 0x84, 0x02, 0x00});  // jz rel16
  EXPECT_EQ(state().rip, (kCode + 7) & 0xffff);
}

TEST_F(Intel, OperandSizePrefixOnBranchesIsIgnored) {
  EXPECT_NE(run({0x66, 0xe9, 0x10, 0x00, 0x00, 0x00}), RunExit::Fault);  // jmp rel32
  EXPECT_EQ(state().rip, kCode + 6 + 0x10);
  reg(RAX) = kCode + 0x100;
  run({0x66, 0xff, 0xe0});
  EXPECT_EQ(state().rip, kCode + 0x100);
}

TEST_F(Amd, FarPointersHaveNo64BitOffsets) {
  state().gdtr = {.base = kData + 0x100, .limit = 0xff};
  poke<u64>(kData + 0x110, 0x00cf'9300'0000'ffff);  // 10h: data
  poke<u32>(kData, 0x8765'4321);
  poke<u16>(kData + 4, 0x10);
  poke<u16>(kData + 8, 0);  // what a 64-bit offset would take for the selector
  reg(RBX) = kData;
  reg(RAX) = ~u64{0};
  EXPECT_NE(run({0x48, 0x0f, 0xb4, 0x03}), RunExit::Fault);  // lfs rax, [rbx]
  EXPECT_EQ(reg(RAX), 0x8765'4321u);
  EXPECT_EQ(state().seg[FS].selector, 0x10);
}

// --- SYSCALL, SYSRET, SYSENTER ---

TEST_F(Amd, SysretLoadsOnlyTheSelectorOfSs) {
  state().star = u64{0x23} << 48;
  state().seg[SS] = {.base = 0x1000, .limit = 0x2fff, .selector = 0x18, .access = 0x4093};
  apply();
  reg(RCX) = kCode;
  reg(R11) = 0x202;
  EXPECT_NE(run({0x48, 0x0f, 0x07}), RunExit::Fault);
  EXPECT_EQ(state().cpl, 3);
  EXPECT_EQ(state().seg[SS].selector, 0x2b);
  EXPECT_EQ(state().seg[SS].base, 0x1000u);
  EXPECT_EQ(state().seg[SS].limit, 0x2fffu);
  EXPECT_EQ(state().seg[SS].access, 0x4093);
}

TEST_F(Intel, SysretLoadsAFlatSs) {
  state().star = u64{0x23} << 48;
  state().seg[SS] = {.base = 0x1000, .limit = 0x2fff, .selector = 0x18, .access = 0x4093};
  apply();
  reg(RCX) = kCode;
  reg(R11) = 0x202;
  EXPECT_NE(run({0x48, 0x0f, 0x07}), RunExit::Fault);
  EXPECT_EQ(state().seg[SS].base, 0u);
  EXPECT_EQ(state().seg[SS].limit, 0xffffffffu);
  EXPECT_EQ(state().seg[SS].dpl(), 3);
}

TEST_F(Amd, SysretToANonCanonicalAddressFaultsInUserMode) {
  state().star = u64{0x23} << 48;
  reg(RCX) = u64{1} << 47;
  reg(R11) = 0x202;
  EXPECT_NE(run({0x48, 0x0f, 0x07}), RunExit::Fault);
  EXPECT_EQ(state().cpl, 3);
  EXPECT_EQ(resume(), RunExit::Fault);
  EXPECT_EQ(cpu().fault.vector, kGP);
}

TEST_F(Intel, SysretToANonCanonicalAddressFaultsInTheKernel) {
  state().star = u64{0x23} << 48;
  reg(RCX) = u64{1} << 47;
  expect_fault({0x48, 0x0f, 0x07}, kGP, 0);
  EXPECT_EQ(state().cpl, 0);
}

TEST_F(Amd, SysenterIsUndefinedInLongMode) {
  state().sysenter_cs = 8;
  expect_fault({0x0f, 0x34}, kUD);
  expect_fault({0x0f, 0x35}, kUD);
}

TEST_F(Intel, SysenterWorksInLongMode) {
  state().sysenter_cs = 8;
  state().sysenter_eip = kCode + 0x100;
  EXPECT_NE(run({0x0f, 0x34}), RunExit::Fault);
  EXPECT_EQ(state().rip, kCode + 0x100);
}

TEST_F(Amd, SyscallOutsideLongModeEntersAtStar) {
  enter_32bit(3);
  state().efer = mmu::kEferSce;
  state().star = u64{0x08} << 32 | (kCode + 0x200);
  rflags() |= kRflagsIf;
  apply();
  EXPECT_NE(run({0x0f, 0x05}), RunExit::Fault);
  EXPECT_EQ(state().rip, kCode + 0x200);
  EXPECT_EQ(state().cpl, 0);
  EXPECT_EQ(reg(RCX), kCode + 2);
  EXPECT_EQ(rflags() & kRflagsIf, 0u);
  EXPECT_EQ(state().seg[SS].selector, 0x10);
}

TEST_F(Intel, SyscallOutside64BitModeIsUndefined) {
  enter_32bit(3);
  state().efer = mmu::kEferSce;
  expect_fault({0x0f, 0x05}, kUD);
}

// --- Model-specific registers ---

TEST_F(Amd, RegistersOfTheVendor) {
  u64 value = 0;
  EXPECT_TRUE(read_msr(cpu(), 0xc0010015, value));
  for (u32 msr = 0xc0010000; msr <= 0xc0010007; ++msr) {
    EXPECT_TRUE(write_msr(cpu(), msr, 0xabcd));
    EXPECT_TRUE(read_msr(cpu(), msr, value));
    EXPECT_EQ(value, 0u);
  }
  EXPECT_FALSE(read_msr(cpu(), 0xce, value));
  EXPECT_FALSE(read_msr(cpu(), 0x1a0, value));
}
TEST_F(Intel, RegistersOfTheVendor) {
  u64 value = 0;
  EXPECT_FALSE(read_msr(cpu(), 0xc0010000, value));
  EXPECT_FALSE(read_msr(cpu(), 0xc0010015, value));
  EXPECT_TRUE(read_msr(cpu(), 0xce, value));
}

}  // namespace
}  // namespace reprise::test
