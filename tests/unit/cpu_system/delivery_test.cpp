// Event delivery: frames, privilege changes, IST, error codes, the double-fault matrix. SDM 3A chapter 6.
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

class Delivery : public SystemFixture {
 public:
  /// Delivers once and expects success; mode follows.
  void deliver(const Fault& event) {
    ASSERT_TRUE(deliver_through_idt(cpu(), event, state().rip))
        << "vector " << unsigned{cpu().fault.vector} << " error " << cpu().fault.error_code;
    cpu().sync_mode();
  }
  /// Expects that delivery fails with `vector`(`error`) and changes nothing.
  void expect_refused(const Fault& event, Vector vector, u32 error) {
    const CpuState before = state();
    EXPECT_FALSE(deliver_through_idt(cpu(), event, state().rip));
    EXPECT_EQ(cpu().fault.vector, vector);
    EXPECT_EQ(cpu().fault.error_code, error);
    EXPECT_EQ(state().rip, before.rip);
    EXPECT_EQ(state().rflags, before.rflags);
    EXPECT_EQ(state().gpr[RSP], before.gpr[RSP]);
    EXPECT_EQ(state().cpl, before.cpl);
    EXPECT_EQ(state().seg[CS].selector, before.seg[CS].selector);
    EXPECT_EQ(state().seg[SS].selector, before.seg[SS].selector);
  }
  static constexpr Fault kInterrupt{.vector = 0x30, .kind = EventKind::ExternalInterrupt};
  static constexpr Fault kSoftware{.vector = 0x30, .kind = EventKind::SoftwareInterrupt};
  static constexpr Fault kGpFault{.vector = kGP, .has_error_code = true, .error_code = 0x1234};
};

TEST_F(Delivery, Long_SameLevelAlignsAndPushesSsRsp) {
  reg(RSP) = kStack - 3;
  state().rflags = 0x246;
  deliver(kInterrupt);
  const u64 frame = (kStack - 3) / 16 * 16 - 40;
  EXPECT_EQ(reg(RSP), frame);
  EXPECT_EQ(peek<u64>(frame), kCode);
  EXPECT_EQ(peek<u64>(frame + 8), kCode64);
  EXPECT_EQ(peek<u64>(frame + 16), 0x246u);
  EXPECT_EQ(peek<u64>(frame + 24), kStack - 3);
  EXPECT_EQ(peek<u64>(frame + 32), kData0);
  EXPECT_EQ(state().rip, handler(0x30));
  EXPECT_EQ(state().seg[SS].selector, kData0);
  EXPECT_EQ(state().rflags, 0x46u);
}

TEST_F(Delivery, Long_ErrorCodeIsBelowRip) {
  deliver(kGpFault);
  EXPECT_EQ(reg(RSP), kStack - 48);
  EXPECT_EQ(peek<u64>(reg(RSP)), 0x1234u);
  EXPECT_EQ(peek<u64>(reg(RSP) + 8), kCode);
}

TEST_F(Delivery, Long_FromUserTakesRsp0AndNullSs) {
  enter_64bit(3);
  deliver(kInterrupt);
  EXPECT_EQ(state().cpl, 0);
  EXPECT_EQ(reg(RSP), kInnerStack - 40);
  EXPECT_EQ(state().seg[SS].selector, 0);
  EXPECT_FALSE(state().seg[SS].usable());
  EXPECT_EQ(peek<u64>(reg(RSP) + 8), kCode64User);
  EXPECT_EQ(peek<u64>(reg(RSP) + 24), kUserStack);
  EXPECT_EQ(peek<u64>(reg(RSP) + 32), kDataUser);
  EXPECT_EQ(state().seg[CS].selector, kCode64);
}

TEST_F(Delivery, Long_IstReplacesTheStackEvenAtTheSameLevel) {
  set_gate(0x30, kCode64, 0x8e, 3);
  deliver(kInterrupt);
  EXPECT_EQ(reg(RSP), kIstStack - 40);
  EXPECT_EQ(peek<u64>(reg(RSP) + 24), kStack);
  EXPECT_EQ(state().seg[SS].selector, kData0);
}

TEST_F(Delivery, Long_ConformingHandlerStaysAtUserLevel) {
  enter_64bit(3);
  set_gate(0x30, kConforming, 0xee);
  deliver(kInterrupt);
  EXPECT_EQ(state().cpl, 3);
  EXPECT_EQ(state().seg[CS].selector, kConforming | 3);
  EXPECT_EQ(reg(RSP), kUserStack - 40);
}

TEST_F(Delivery, Long_CompatibilityModeCodeGetsA64BitFrame) {
  enter_compat(3);
  reg(RSP) = 0xdead00000000 | kUserStack;
  deliver(kInterrupt);
  EXPECT_EQ(reg(RSP), kInnerStack - 40);
  EXPECT_TRUE(cpu().mode.is64());
  EXPECT_EQ(peek<u64>(reg(RSP) + 8), kCode32User);
}

struct FlagCase {
  u8 access;
  u64 before, after;
};

TEST_F(Delivery, GateTypeDecidesIf) {
  for (const FlagCase& row : {FlagCase{0x8e, 0x4746, 0x446}, FlagCase{0x8f, 0x4746, 0x646}}) {
    enter_64bit();
    set_gate(0x30, kCode64, row.access);
    state().rflags = row.before;
    deliver(kInterrupt);
    EXPECT_EQ(state().rflags, row.after);
    EXPECT_EQ(peek<u64>(reg(RSP) + 16), row.before);
  }
}

TEST_F(Delivery, RfIsSavedAsOneForFaultsOnly) {
  struct Row {
    Fault event;
    u64 saved;
  };
  const Row rows[] = {
      {{.vector = kUD}, 0x10002},
      {{.vector = kDB, .dr6 = 0x2000}, 0x10002},
      {{.vector = kDB, .kind = EventKind::Trap}, 2},
      {kInterrupt, 2},
      {kSoftware, 2},
      {{.vector = kDF, .has_error_code = true}, 2},
  };
  for (const Row& row : rows) {
    enter_64bit();
    deliver(row.event);
    const u64 frame = row.event.has_error_code ? reg(RSP) + 8 : reg(RSP);
    EXPECT_EQ(peek<u64>(frame + 16), row.saved) << unsigned{row.event.vector};
  }
}

// SDM 3A 6.13, 2A INT: which selector an error code names, and EXT.
TEST_F(Delivery, Long_ErrorCodes) {
  constexpr u32 kVectorError = 0x30 * 8 + 2;
  struct Row {
    const char* what;
    u64 gate;
    Fault event;
    u8 cpl;
    Vector vector;
    u32 error;
  };
  const Row rows[] = {
      {"interrupt, wrong type", gate_low(kCode64, handler(0x30), 0x8c), kInterrupt, 0, kGP, kVectorError | 1},
      {"16-bit gate", gate_low(kCode64, handler(0x30), 0x86), kInterrupt, 0, kGP, kVectorError | 1},
      {"task gate", gate_low(kTssSelector, 0, 0x85), kInterrupt, 0, kGP, kVectorError | 1},
      {"INT n, wrong type", gate_low(kCode64, handler(0x30), 0x8c), kSoftware, 0, kGP, kVectorError},
      {"INT n, gate DPL below CPL", gate_low(kCode64, handler(0x30), 0x8e), kSoftware, 3, kGP, kVectorError},
      {"gate not present", gate_low(kCode64, handler(0x30), 0x0e), kInterrupt, 0, kNP, kVectorError | 1},
      {"DPL comes before presence", gate_low(kCode64, handler(0x30), 0x0e), kSoftware, 3, kGP, kVectorError},
      {"null selector", gate_low(0, handler(0x30), 0x8e), kInterrupt, 0, kGP, 1},
      {"null selector, INT n", gate_low(0, handler(0x30), 0xee), kSoftware, 0, kGP, 0},
      {"selector beyond the GDT", gate_low(0x100, handler(0x30), 0x8e), kInterrupt, 0, kGP, 0x101},
      {"data segment", gate_low(kData0, handler(0x30), 0x8e), kInterrupt, 0, kGP, kData0 | 1},
      {"32-bit code segment", gate_low(kCode32, handler(0x30), 0x8e), kInterrupt, 0, kGP, kCode32 | 1},
      {"L and D both set", gate_low(kLongAndBig, handler(0x30), 0x8e), kInterrupt, 0, kGP, kLongAndBig | 1},
      {"code not present", gate_low(kCodeAbsent, handler(0x30), 0x8e), kInterrupt, 0, kNP, kCodeAbsent | 1},
      {"less privileged handler", gate_low(kCode64User, handler(0x30), 0x8e), kInterrupt, 0, kGP,
       (kCode64User & ~3u) | 1},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    enter_64bit(row.cpl);
    poke<u64>(kIdt + 16 * 0x30, row.gate);
    expect_refused(row.event, row.vector, row.error);
  }
}

TEST_F(Delivery, Long_NonCanonicalHandlerOrStack) {
  poke<u64>(kIdt + 16 * 0x30 + 8, 0x8000);
  expect_refused(kInterrupt, kGP, 1);
  enter_64bit(3);
  poke<u64>(kTss + 4, u64{1} << 47);
  expect_refused(kInterrupt, kSS, 1);
}

TEST_F(Delivery, VectorBeyondTheIdtLimit) {
  state().idtr.limit = 16 * 0x30 + 14;
  expect_refused(kInterrupt, kGP, 0x30 * 8 + 3);
  enter_32bit();
  state().idtr.limit = 8 * 0x30 + 6;
  expect_refused(kSoftware, kGP, 0x30 * 8 + 2);
}

TEST_F(Delivery, ShortTssIsInvalidTss) {
  enter_64bit(3);
  state().tr.limit = 10;
  expect_refused(kInterrupt, kTS, kTssSelector | 1);
  enter_32bit(3);
  state().tr.limit = 8;
  expect_refused(kInterrupt, kTS, kTssSelector | 1);
}

TEST_F(Delivery, PageFaultOnTheFrameLeavesStateAsItWas) {
  enter_64bit(3);
  unmap(kInnerStack - kPageBytes);
  const CpuState before = state();
  EXPECT_FALSE(deliver_through_idt(cpu(), kInterrupt, state().rip));
  EXPECT_EQ(cpu().fault.vector, kPF);
  EXPECT_EQ(cpu().fault.error_code, u32{mmu::kPfW});
  EXPECT_EQ(cpu().fault.linear, kInnerStack - 8);
  EXPECT_EQ(state().cpl, before.cpl);
  EXPECT_EQ(state().gpr[RSP], before.gpr[RSP]);
}

TEST_F(Delivery, FrameAcrossAPageNamesTheFirstSlotThatFaults) {
  reg(RSP) = kStack + 16;
  unmap(kStack - kPageBytes);
  poke<u64>(kStack + 8, 0x55);
  EXPECT_FALSE(deliver_through_idt(cpu(), kInterrupt, state().rip));
  EXPECT_EQ(cpu().fault.linear, kStack - 8);
  EXPECT_EQ(peek<u64>(kStack + 8), 0x55u);  // nothing was written
}

TEST_F(Delivery, AccessedBitOfTheHandlerIsSet) {
  set_descriptor(kScratch, get_descriptor(kCode64) & ~(u64{1} << 40));
  set_gate(0x30, kScratch);
  deliver(kInterrupt);
  EXPECT_EQ(get_descriptor(kScratch) >> 40 & 1, 1u);
}

// --- Legacy protected mode ---

TEST_F(Delivery, Protected_SameLevel) {
  enter_32bit();
  state().rflags = 0x202;
  deliver(kGpFault);
  EXPECT_EQ(reg(RSP), kStack - 16);
  EXPECT_EQ(peek<u32>(reg(RSP)), 0x1234u);
  EXPECT_EQ(peek<u32>(reg(RSP) + 4), kCode);
  EXPECT_EQ(peek<u32>(reg(RSP) + 8), kCode32);
  EXPECT_EQ(peek<u32>(reg(RSP) + 12), 0x10202u);
  EXPECT_EQ(state().rip, handler(kGP));
}

TEST_F(Delivery, Protected_InnerLevel) {
  enter_32bit(3);
  deliver(kInterrupt);
  EXPECT_EQ(state().cpl, 0);
  EXPECT_EQ(reg(RSP), kInnerStack - 20);
  EXPECT_EQ(state().seg[SS].selector, kData0);
  const u64 frame = reg(RSP);
  EXPECT_EQ(peek<u32>(frame), kCode);
  EXPECT_EQ(peek<u32>(frame + 4), kCode32User);
  EXPECT_EQ(peek<u32>(frame + 12), kUserStack);
  EXPECT_EQ(peek<u32>(frame + 16), kDataUser);
}

TEST_F(Delivery, Protected_SixteenBitGatePushesWords) {
  enter_32bit();
  set_gate(0x30, kCode32, 0x86);
  poke<u64>(kIdt + 8 * 0x30, gate_low(kCode32, 0x12345678, 0x86));
  deliver(kInterrupt);
  EXPECT_EQ(reg(RSP), kStack - 6);
  EXPECT_EQ(peek<u16>(reg(RSP)), kCode & 0xffff);
  EXPECT_EQ(peek<u16>(reg(RSP) + 2), kCode32);
  EXPECT_EQ(state().rip, 0x5678u);
}

TEST_F(Delivery, Protected_BadInnerStacks) {
  struct Row {
    const char* what;
    u32 ss;
    u32 esp;
    Vector vector;
    u32 error;
  };
  const Row rows[] = {
      {"null", 0, kInnerStack, kTS, 1},
      {"RPL differs", kData0 | 3, kInnerStack, kTS, kData0 | 1},
      {"read-only", kReadOnly, kInnerStack, kTS, kReadOnly | 1},
      {"code", kCode32, kInnerStack, kTS, kCode32 | 1},
      {"beyond the GDT", 0x108, kInnerStack, kTS, 0x109},
      {"not present", kDataAbsent, kInnerStack, kSS, kDataAbsent | 1},
      {"beyond the limit", kData16, 0x12345678 | 2, kSS, kData16 | 1},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    enter_32bit(3);
    poke<u32>(kTss + 8, row.ss);
    poke<u32>(kTss + 4, row.esp);
    if (row.ss == kData16) {
      set_descriptor(kScratch, descriptor(0, 0x1000, kAccessData | kFlagDb));
      poke<u32>(kTss + 8, kScratch);
      expect_refused(kInterrupt, row.vector, kScratch | 1);
      continue;
    }
    expect_refused(kInterrupt, row.vector, row.error);
  }
}

TEST_F(Delivery, Protected_HandlerBeyondItsLimit) {
  enter_32bit();
  set_descriptor(kScratch, descriptor(0, 0xffff, kAccessCode | kFlagDb));
  poke<u64>(kIdt + 8 * 0x30, gate_low(kScratch, 0x10000, 0x8e));
  expect_refused(kInterrupt, kGP, 1);
}

TEST_F(Delivery, Protected_StackLimitAtTheSameLevel) {
  enter_32bit();
  reg(RSP) = 4;
  state().seg[SS].limit = 0x7fffffff;
  cpu().sync_mode();
  expect_refused(kInterrupt, kSS, 1);
}

// --- Virtual-8086 and real mode ---

TEST_F(Delivery, V86_FrameHasTheDataSegments) {
  enter_v86(3);
  state().rflags |= 0x200;
  deliver(kInterrupt);
  const u64 frame = kInnerStack - 36;
  EXPECT_EQ(reg(RSP), frame);
  const u32 expected[] = {0, 0x1100, 0x23202, 0x800, 0x1200, 0x1000, 0x1300, 0x1400, 0x1500};
  for (unsigned i = 0; i < 9; ++i) EXPECT_EQ(peek<u32>(frame + 4 * i), expected[i]) << i;
  EXPECT_EQ(state().rflags & (1u << 17), 0u);
  for (const SegmentIndex index : {ES, DS, FS, GS}) EXPECT_FALSE(state().seg[index].usable());
  EXPECT_EQ(state().cpl, 0);
}

TEST_F(Delivery, V86_NeedsALevel0Handler) {
  enter_v86(3);
  set_gate(0x30, kConforming32, 0xee);
  expect_refused(kInterrupt, kGP, kConforming32 | 1);
  set_gate(0x30, kCode32User, 0xee);
  expect_refused(kInterrupt, kGP, (kCode32User & ~3u) | 1);
}

TEST_F(Delivery, Real_VectorTable) {
  enter_real();
  state().rflags = 0x40302;
  deliver(kInterrupt);
  EXPECT_EQ(reg(RSP), 0x6ffau);
  EXPECT_EQ(peek<u16>(0x6ffa), 0x8000);
  EXPECT_EQ(peek<u16>(0x6ffe), 0x0302);
  EXPECT_EQ(state().seg[CS].selector, 0x9000);
  EXPECT_EQ(state().seg[CS].base, 0x90000u);
  EXPECT_EQ(state().rip, 0x130u);
  EXPECT_EQ(state().rflags, 2u);
}

TEST_F(Delivery, Real_ExceptionsPushNoErrorCode) {
  enter_real();
  deliver(kGpFault);
  EXPECT_EQ(reg(RSP), 0x6ffau);
}

TEST_F(Delivery, Real_TableTooShort) {
  enter_real();
  state().idtr.limit = 0x30 * 4 + 2;
  expect_refused(kInterrupt, kGP, 0x30 * 8 + 3);
}

// --- Second faults, SDM 3A table 6-5 ---

TEST(Escalate, Matrix) {
  using E = Escalation;
  const Fault ud{.vector = kUD}, gp{.vector = kGP, .has_error_code = true},
      pf{.vector = kPF, .has_error_code = true};
  const Fault df{.vector = kDF, .has_error_code = true}, de{.vector = kDE};
  const Fault irq13{.vector = kGP, .kind = EventKind::ExternalInterrupt};
  const Fault int14{.vector = kPF, .kind = EventKind::SoftwareInterrupt};
  struct Row {
    const Fault &first, &second;
    E expected;
  };
  const Row rows[] = {
      {ud, gp, E::Serial},      {ud, pf, E::Serial},    {gp, gp, E::DoubleFault}, {gp, de, E::DoubleFault},
      {gp, pf, E::Serial},      {gp, ud, E::Serial},    {de, gp, E::DoubleFault}, {pf, pf, E::DoubleFault},
      {pf, gp, E::DoubleFault}, {pf, ud, E::Serial},    {df, gp, E::Shutdown},    {df, pf, E::Shutdown},
      {irq13, gp, E::Serial},   {int14, pf, E::Serial},
  };
  for (const Row& row : rows)
    EXPECT_EQ(escalate(row.first, row.second), row.expected)
        << unsigned{row.first.vector} << " " << unsigned{row.second.vector};
}

TEST_F(Delivery, DoubleFault) {
  set_gate(kGP, kCode64, 0x0e);
  deliver_event(cpu(), kGpFault);
  EXPECT_EQ(state().rip, handler(kDF));
  EXPECT_EQ(peek<u64>(reg(RSP)), 0u);
  EXPECT_EQ(peek<u64>(reg(RSP) + 8), kCode);
  EXPECT_EQ(state().activity, Activity::Running);
}

TEST_F(Delivery, BenignThenContributoryIsServedInTurn) {
  set_gate(kUD, kCode64, 0x0e);
  deliver_event(cpu(), {.vector = kUD});
  EXPECT_EQ(state().rip, handler(kNP));
  EXPECT_EQ(peek<u64>(reg(RSP)), kUD * 8u + 3);
}

TEST_F(Delivery, TripleFaultShutsDown) {
  set_gate(kGP, kCode64, 0x0e);
  set_gate(kDF, kCode64, 0x0e);
  deliver_event(cpu(), kGpFault);
  EXPECT_EQ(state().activity, Activity::Shutdown);
  EXPECT_EQ(vcpu().run(10), VcpuExit::Shutdown);
}

TEST_F(Delivery, PageFaultWhileDeliveringAPageFaultKeepsTheSecondCr2) {
  enter_64bit(3);
  unmap(kInnerStack - kPageBytes);
  set_gate(kDF, kCode64, 0x8e, 1);
  deliver_event(cpu(), {.vector = kPF, .has_error_code = true, .error_code = 4, .linear = 0x123000});
  EXPECT_EQ(state().rip, handler(kDF));
  EXPECT_EQ(state().cr2, kInnerStack - 8);
}

TEST_F(Delivery, Cr2IsForPageFaultsOnly) {
  state().cr2 = 0x99;
  deliver_event(cpu(), {.vector = kPF, .kind = EventKind::ExternalInterrupt, .linear = 0x123});
  EXPECT_EQ(state().cr2, 0x99u);
  deliver_event(cpu(), {.vector = kPF, .has_error_code = true, .linear = 0x123});
  EXPECT_EQ(state().cr2, 0x123u);
}

TEST_F(Delivery, DebugExceptionRecordsAndDropsGd) {
  state().dr6 = 0xffff0ff3;
  state().dr7 = 0x2400;
  deliver_event(cpu(), {.vector = kDB, .kind = EventKind::Trap, .dr6 = 0x4004});
  EXPECT_EQ(state().dr6, 0xffff4ff4u);
  EXPECT_EQ(state().dr7, 0x400u);
}

// --- INT n, INT3, INTO, BOUND as instructions ---

TEST_F(Delivery, IntRetiresAndSavesTheNextRip) {
  const u64 before = state().retired;
  expect_retires({0xcd, 0x30});
  EXPECT_EQ(state().retired, before + 1);
  EXPECT_EQ(state().rip, handler(0x30));
  EXPECT_EQ(peek<u64>(reg(RSP)), kCode + 2);
}

TEST_F(Delivery, IntThatFaultsHasNotRetired) {
  enter_64bit(3);
  expect_fault({0xcd, 0x30}, kGP, 0x30 * 8 + 2);
  expect_fault({0xcc}, kGP, 3 * 8 + 2);
  set_gate(3, kCode64, 0xee);
  expect_retires({0xcc});
}

TEST_F(Delivery, Long_Int1TakesInWhatMovSsHeldBack) {
  state().pending_debug = 1;
  state().mov_ss_shadow = true;
  expect_retires({0xf1});
  EXPECT_EQ(state().rip, handler(kDB));
  EXPECT_EQ(state().pending_debug, 0u);
  EXPECT_EQ(state().dr6 & 0xf, 1u);
}

TEST_F(Delivery, Int1IgnoresTheGateDpl) {
  enter_64bit(3);
  expect_retires({0xf1});
  EXPECT_EQ(state().rip, handler(kDB));
  EXPECT_EQ(state().dr6, 0xffff0ff0u);
}

TEST_F(Delivery, IntoOnlyWithOf) {
  enter_32bit();
  expect_retires({0xce});
  EXPECT_EQ(state().rip, kCode + 1);
  state().rflags |= kRflagsOf;
  expect_retires({0xce});
  EXPECT_EQ(state().rip, handler(kOF));
}

TEST_F(Delivery, BoundComparesSigned) {
  enter_32bit();
  poke<u32>(kData, static_cast<u32>(-5));
  poke<u32>(kData + 4, 5);
  reg(RBX) = kData;
  for (const i32 inside : {-5, 0, 5}) {
    reg(RAX) = static_cast<u32>(inside);
    expect_retires({0x62, 0x03});
  }
  for (const i32 outside : {-6, 6}) {
    reg(RAX) = static_cast<u32>(outside);
    expect_fault({0x62, 0x03}, kBR);
  }
}

TEST_F(Delivery, V86_IntNeedsIopl3) {
  enter_v86(0);
  poke<u16>(0x11000, 0x30cd);
  poke<u8>(0x11002, 0xcc);
  state().rip = 0;
  vcpu().run(2);
  EXPECT_EQ(state().rip, handler(kGP) + 1);  // #GP and the handler's HLT
  enter_v86(0);
  set_gate(3, kCode32, 0xee);
  state().rip = 2;
  vcpu().run(1);
  EXPECT_EQ(state().rip, handler(3));
  enter_v86(3);
  set_gate(0x30, kCode32, 0xee);
  vcpu().run(1);
  EXPECT_EQ(state().rip, handler(0x30));
}

}  // namespace
}  // namespace reprise::test
