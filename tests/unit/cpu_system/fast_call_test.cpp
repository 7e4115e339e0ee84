// SYSCALL, SYSRET, SYSENTER, SYSEXIT with Intel's rules. SDM 2B.
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

class FastCall : public SystemFixture {
 public:
  static constexpr std::initializer_list<u8> kSyscall = {0x0f, 0x05}, kSysretl = {0x0f, 0x07},
                                             kSysretq = {0x48, 0x0f, 0x07}, kSysenter = {0x0f, 0x34},
                                             kSysexit = {0x0f, 0x35}, kSysexitq = {0x48, 0x0f, 0x35};
  void set_msrs() {
    state().star = u64{kCode64} << 32 | u64{0x23} << 48;
    state().lstar = 0x13000;
    state().fmask = 0x700;
    state().sysenter_cs = kCode64;
    state().sysenter_esp = kInnerStack;
    state().sysenter_eip = 0x14000;
  }
};

TEST_F(FastCall, Syscall) {
  enter_64bit(3);
  set_msrs();
  state().rflags = 0x10602 | kRflagsIf;
  expect_retires(kSyscall);
  EXPECT_EQ(state().rip, 0x13000u);
  EXPECT_EQ(reg(RCX), kCode + 2);
  EXPECT_EQ(reg(R11), 0x602u);
  EXPECT_EQ(state().rflags, 2u);
  EXPECT_EQ(state().cpl, 0);
  EXPECT_EQ(state().seg[CS].selector, kCode64);
  EXPECT_EQ(state().seg[CS].access, 0xa09b);
  EXPECT_EQ(state().seg[SS].selector, kCode64 + 8);
  EXPECT_EQ(state().seg[SS].access, 0xc093);
  EXPECT_EQ(reg(RSP), kUserStack);
}

TEST_F(FastCall, SyscallNeeds64BitModeAndSce) {
  enter_compat(3);
  set_msrs();
  expect_fault(kSyscall, kUD);
  enter_32bit(3);
  expect_fault(kSyscall, kUD);
  enter_64bit(3);
  state().efer &= ~mmu::kEferSce;
  apply();
  expect_fault(kSyscall, kUD);
}

TEST_F(FastCall, Sysret) {
  set_msrs();
  reg(RCX) = 0x12000;
  reg(R11) = 0x3ffff7;  // every bit the instruction looks at, and some it does not
  expect_retires(kSysretq);
  EXPECT_EQ(state().rip, 0x12000u);
  EXPECT_EQ(state().rflags, 0x3c7fd7u);
  EXPECT_EQ(state().seg[CS].selector, 0x33);
  EXPECT_EQ(state().seg[CS].access, 0xa0fb);
  EXPECT_EQ(state().seg[SS].selector, 0x2b);
  EXPECT_EQ(state().seg[SS].access, 0xc0f3);
  EXPECT_EQ(state().cpl, 3);
  enter_64bit();
  set_msrs();
  reg(RCX) = 0xffffffff00012000;
  reg(R11) = 2;
  expect_retires(kSysretl);
  EXPECT_EQ(state().rip, 0x12000u);
  EXPECT_EQ(state().seg[CS].selector, 0x23);
  EXPECT_FALSE(cpu().mode.is64());
}

TEST_F(FastCall, SysretChecksRcxAtLevel0) {
  set_msrs();
  reg(RCX) = u64{1} << 47;
  expect_fault(kSysretq, kGP, 0);
  EXPECT_EQ(state().cpl, 0);
  enter_64bit(3);
  expect_fault(kSysretq, kGP, 0);
}

TEST_F(FastCall, Sysenter) {
  for (const bool from_64bit : {true, false}) {
    from_64bit ? enter_64bit(3) : enter_compat(3);
    set_msrs();
    state().rflags |= kRflagsIf;
    expect_retires(kSysenter);
    EXPECT_EQ(state().rip, 0x14000u);
    EXPECT_EQ(reg(RSP), kInnerStack);
    EXPECT_EQ(state().cpl, 0);
    EXPECT_TRUE(cpu().mode.is64());
    EXPECT_EQ(state().rflags, 2u);
  }
  enter_64bit(3);
  set_msrs();
  state().sysenter_cs = 3;
  expect_fault(kSysenter, kGP, 0);
}

TEST_F(FastCall, Sysexit) {
  set_msrs();
  reg(RDX) = 0x12000;
  reg(RCX) = kUserStack;
  expect_retires(kSysexitq);
  EXPECT_EQ(state().seg[CS].selector, kCode64 + 32 + 3);
  EXPECT_EQ(state().seg[SS].selector, kCode64 + 40 + 3);
  EXPECT_EQ(state().rip, 0x12000u);
  EXPECT_EQ(reg(RSP), kUserStack);
  enter_64bit();
  set_msrs();
  reg(RDX) = 0xf00012000;
  expect_retires(kSysexit);
  EXPECT_EQ(state().seg[CS].selector, kCode64 + 16 + 3);
  EXPECT_EQ(state().rip, 0x12000u);
  enter_64bit();
  set_msrs();
  reg(RDX) = u64{1} << 47;
  expect_fault(kSysexitq, kGP, 0);
  enter_64bit(3);
  expect_fault(kSysexit, kGP, 0);
}

TEST_F(FastCall, TrapFlagAcrossTheTransfer) {
  // SYSCALL: FMASK decides. SYSRET: the trap comes before the program's first instruction.
  enter_64bit(3);
  set_msrs();
  code({0xf4}, 0x13000);
  state().rflags |= kRflagsTf;
  run(kSyscall, 1);
  EXPECT_EQ(state().rip, 0x13000u);
  EXPECT_EQ(state().pending_debug, 0u);
  enter_64bit();
  set_msrs();
  set_gate(kDB, kCode64);
  reg(RCX) = 0x12000;
  reg(R11) = 2 | kRflagsTf;
  run(kSysretq, 1);
  EXPECT_EQ(state().rip, 0x12000u);
  vcpu().run(1);
  EXPECT_EQ(peek<u64>(reg(RSP)), 0x12000u);
  EXPECT_EQ(state().dr6, 0xffff4ff0u);
}

}  // namespace
}  // namespace reprise::test
