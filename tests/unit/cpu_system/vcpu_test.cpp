// The vCPU's loop: interrupts, shadows, NMI, single-step, breakpoints, HLT, shutdown. SDM 3A 6.8, 6.9; 3B 17.2, 17.3.
#include "cpu/system/debug_regs.h"
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

class VcpuTest : public SystemFixture {
 public:
  u64 saved_rip() { return peek<u64>(reg(RSP)); }
  u64 saved_flags() { return peek<u64>(reg(RSP) + 16); }
  /// True once the handler of `vector` has run its HLT or is about to.
  bool in_handler(unsigned vector) { return (state().rip & ~u64{15}) == handler(vector); }
};

TEST_F(VcpuTest, BudgetIsExact) {
  const u64 before = state().retired;
  EXPECT_EQ(run({0x90, 0x90, 0x90, 0x90, 0x90}, 3), VcpuExit::Budget);
  EXPECT_EQ(state().retired, before + 3);
  EXPECT_EQ(state().rip, kCode + 3);
}

TEST_F(VcpuTest, AFaultCountsInPlaceOfItsInstruction) {
  const u64 before = state().retired;
  EXPECT_EQ(run({0x90, 0x0f, 0x0b}, 100), VcpuExit::Halted);
  EXPECT_EQ(state().retired, before + 3);  // NOP, #UD, HLT
  EXPECT_EQ(saved_rip(), kCode + 1);
  EXPECT_EQ(saved_flags() & kRflagsRf, kRflagsRf);
}

TEST_F(VcpuTest, InterruptBeforeTheFirstInstruction) {
  state().rflags |= kRflagsIf;
  interrupts.pending = true;
  EXPECT_EQ(run({0x90}, 2), VcpuExit::Halted);
  EXPECT_TRUE(in_handler(0x30));
  EXPECT_EQ(saved_rip(), kCode);
}

TEST_F(VcpuTest, InterruptWaitsForIf) {
  interrupts.pending = true;
  EXPECT_EQ(run({0x90, 0x90}, 2), VcpuExit::Budget);
  EXPECT_TRUE(interrupts.pending);
}

TEST_F(VcpuTest, StiShadowCoversOneInstruction) {
  interrupts.pending = true;
  run({0xfb, 0x90, 0x90}, 100);
  EXPECT_EQ(saved_rip(), kCode + 2);
}

TEST_F(VcpuTest, StiWithIfSetHasNoShadow) {
  state().rflags |= kRflagsIf;
  code({0xfb, 0x90, 0x90});
  vcpu().run(1);
  EXPECT_FALSE(state().sti_shadow);
}

TEST_F(VcpuTest, StiThenCliTakesNothing) {
  interrupts.pending = true;
  EXPECT_EQ(run({0xfb, 0xfa, 0x90}, 3), VcpuExit::Budget);
  EXPECT_TRUE(interrupts.pending);
}

TEST_F(VcpuTest, StiHltWakesAfterTheHlt) {
  interrupts.pending = true;
  run({0xfb, 0xf4}, 100);
  EXPECT_EQ(saved_rip(), kCode + 2);
}

TEST_F(VcpuTest, ShadowOutlastsTheBudget) {
  interrupts.pending = true;
  run({0xfb, 0x90, 0x90}, 1);
  EXPECT_TRUE(state().sti_shadow);
  vcpu().run(1);
  EXPECT_EQ(state().rip, kCode + 2);
  vcpu().run(1);
  EXPECT_EQ(saved_rip(), kCode + 2);
}

TEST_F(VcpuTest, MovSsShadowHoldsInterruptsAndNmi) {
  for (const bool nmi : {false, true}) {
    enter_64bit();
    state().rflags |= kRflagsIf;
    reg(RAX) = kData0;
    run({0x8e, 0xd0, 0x90, 0x90}, 1);
    interrupts.pending = !nmi;
    state().nmi_pending = nmi;
    vcpu().run(100);
    EXPECT_EQ(saved_rip(), kCode + 3);
    EXPECT_TRUE(in_handler(nmi ? kNMI : 0x30));
  }
}

TEST_F(VcpuTest, AFaultEndsTheShadow) {
  interrupts.pending = true;
  set_gate(kUD, kCode64, 0x8f);  // a trap gate leaves IF
  run({0xfb, 0x0f, 0x0b}, 100);
  // The handler of #UD is interrupted before its first instruction.
  EXPECT_TRUE(in_handler(0x30));
  EXPECT_EQ(saved_rip(), handler(kUD));
}

TEST_F(VcpuTest, NmiBlocksNmiUntilIret) {
  code({0x48, 0xcf}, handler(kNMI));  // IRETQ
  vcpu().raise_nmi();
  run({0x90, 0x90}, 0);
  vcpu().run(2);
  EXPECT_FALSE(state().nmi_blocked);
  EXPECT_EQ(state().rip, kCode);
  code({0x90, 0x90, 0x48, 0xcf}, handler(kNMI));
  vcpu().raise_nmi();
  vcpu().run(2);
  EXPECT_TRUE(state().nmi_blocked);
  vcpu().raise_nmi();
  vcpu().run(1);
  EXPECT_EQ(state().rip, handler(kNMI) + 2);  // not nested
  vcpu().run(3);                              // IRETQ, the second NMI, its first NOP
  EXPECT_EQ(state().rip, handler(kNMI) + 1);
}

TEST_F(VcpuTest, NmiComesBeforeInterrupts) {
  state().rflags |= kRflagsIf;
  interrupts.pending = true;
  vcpu().raise_nmi();
  run({0x90}, 2);
  EXPECT_TRUE(in_handler(kNMI));
}

TEST_F(VcpuTest, HltSleepsUntilAnInterrupt) {
  state().rflags |= kRflagsIf;
  EXPECT_EQ(run({0xf4, 0x90}, 10), VcpuExit::Halted);
  EXPECT_EQ(vcpu().run(10), VcpuExit::Halted);
  interrupts.pending = true;
  vcpu().run(10);
  EXPECT_EQ(saved_rip(), kCode + 1);
}

TEST_F(VcpuTest, HltWithInterruptsOffWakesForNmiOnly) {
  EXPECT_EQ(run({0xf4, 0x90}, 10), VcpuExit::Halted);
  interrupts.pending = true;
  EXPECT_EQ(vcpu().run(10), VcpuExit::Halted);
  EXPECT_EQ(state().rip, kCode + 1);
  vcpu().raise_nmi();
  vcpu().run(10);
  EXPECT_TRUE(in_handler(kNMI));
}

TEST_F(VcpuTest, StopRequest) {
  vcpu().request_stop();
  EXPECT_EQ(run({0x90}, 10), VcpuExit::Attention);
  EXPECT_EQ(state().rip, kCode);
  EXPECT_EQ(vcpu().run(1), VcpuExit::Budget);
}

TEST_F(VcpuTest, EndlessExceptionsCountAndTakeTime) {
  // #UD whose handler is UD2, on a stack that starts anew each time.
  code({0x0f, 0x0b}, handler(kUD));
  set_gate(kUD, kCode64, 0x8e, 1);
  const u64 retired = state().retired;
  EXPECT_EQ(run({0x0f, 0x0b}, 1000), VcpuExit::Budget);
  EXPECT_EQ(state().retired - retired, 1000u);
  EXPECT_EQ(vcpu().counts().exceptions, 1000u);
  EXPECT_EQ(bus.stalled_ns, 1000 * kDeliveryNs);
}

TEST_F(VcpuTest, AnEventCountsUnlessAnInstructionDoes) {
  const auto cost = [this](std::initializer_list<u8> bytes) {
    const u64 retired = state().retired;
    const u64 stalled_ns = bus.stalled_ns;
    EXPECT_EQ(run(bytes, 100), VcpuExit::Halted);
    EXPECT_EQ(bus.stalled_ns - stalled_ns, kDeliveryNs);
    enter_64bit();
    return state().retired - retired - 1;  // the handler's HLT
  };
  EXPECT_EQ(cost({0x90, 0x0f, 0x0b}), 2u) << "NOP, #UD";
  EXPECT_EQ(cost({0x90, 0xcd, 0x40}), 2u) << "NOP, INT 40h";
  EXPECT_EQ(cost({0xcc}), 1u) << "INT3";
  EXPECT_EQ(cost({0xf1}), 1u) << "INT1";
  vcpu().raise_nmi();
  EXPECT_EQ(cost({0x90}), 1u) << "NMI";
  state().rflags |= kRflagsIf;
  interrupts.pending = true;
  EXPECT_EQ(cost({0x90}), 1u) << "an interrupt";
  state().rflags |= kRflagsTf;
  EXPECT_EQ(cost({0x90}), 2u) << "NOP, single-step #DB";
}

TEST_F(VcpuTest, NoBudgetIsExceeded) {
  // #UD, whose handler returns to it: each delivery and each IRETQ is one.
  code({0x48, 0xcf}, handler(kUD));
  for (u64 budget = 1; budget < 8; ++budget) {
    const u64 retired = state().retired;
    EXPECT_EQ(run({0x0f, 0x0b}, budget), VcpuExit::Budget);
    EXPECT_EQ(state().retired - retired, budget);
    enter_64bit();
  }
}

TEST_F(VcpuTest, TripleFault) {
  state().idtr.limit = 0;
  EXPECT_EQ(run({0x0f, 0x0b}, 10), VcpuExit::Shutdown);
  vcpu().reset(1);
  EXPECT_EQ(state().rip, 0xfff0u);
  EXPECT_EQ(state().seg[CS].base, 0xffff0000u);
  EXPECT_EQ(state().activity, Activity::Running);
}

// --- Single-step ---

TEST_F(VcpuTest, SingleStepTrapsAfterTheInstruction) {
  state().rflags |= kRflagsTf;
  run({0x90, 0x90}, 100);
  EXPECT_TRUE(in_handler(kDB));
  EXPECT_EQ(saved_rip(), kCode + 1);
  EXPECT_EQ(state().dr6, 0xffff4ff0u);
  EXPECT_EQ(saved_flags(), 0x102u);
}

TEST_F(VcpuTest, PopfThatSetsTfTrapsOneLater) {
  reg(RSP) -= 8;
  poke<u64>(reg(RSP), 0x102);
  run({0x9d, 0x90, 0x90}, 100);
  EXPECT_EQ(saved_rip(), kCode + 2);
}

TEST_F(VcpuTest, IretThatSetsTfTrapsOneLater) {
  code({0x90, 0x90}, 0x12000);
  reg(RSP) -= 40;
  u64 at = reg(RSP);
  for (const u64 value : {u64{0x12000}, u64{kCode64}, u64{0x102}, kStack, u64{kData0}}) {
    poke<u64>(at, value);
    at += 8;
  }
  run({0x48, 0xcf}, 100);
  EXPECT_EQ(saved_rip(), 0x12001u);
}

TEST_F(VcpuTest, IntClearsTfWithoutATrap) {
  state().rflags |= kRflagsTf;
  run({0xcd, 0x31}, 100);
  EXPECT_TRUE(in_handler(0x31));
  EXPECT_EQ(state().dr6, 0xffff0ff0u);
  EXPECT_EQ(saved_flags() & kRflagsTf, kRflagsTf);
}

TEST_F(VcpuTest, AFaultTakesTheStepWithIt) {
  state().rflags |= kRflagsTf;
  run({0x0f, 0x0b}, 100);
  EXPECT_TRUE(in_handler(kUD));
  EXPECT_EQ(state().dr6, 0xffff0ff0u);
}

TEST_F(VcpuTest, MovSsIsNotStepped) {
  state().rflags |= kRflagsTf;
  reg(RAX) = kData0;
  run({0x8e, 0xd0, 0x90, 0x90}, 100);
  EXPECT_EQ(saved_rip(), kCode + 3);
}

TEST_F(VcpuTest, RepIsSteppedByIteration) {
  state().rflags |= kRflagsTf;
  reg(RCX) = 3;
  reg(RDI) = kData;
  run({0xf3, 0xaa, 0x90}, 100);
  EXPECT_EQ(reg(RCX), 2u);
  EXPECT_EQ(saved_rip(), kCode);
  EXPECT_EQ(saved_flags() & kRflagsRf, kRflagsRf);
}

TEST_F(VcpuTest, InterruptedRepSavesRf) {
  state().rflags |= kRflagsIf;
  reg(RCX) = 100;
  reg(RDI) = kData;
  run({0xf3, 0xaa, 0x90}, 10);
  EXPECT_EQ(state().rip, kCode);
  EXPECT_EQ(reg(RCX), 90u);
  interrupts.pending = true;
  vcpu().run(1);
  EXPECT_EQ(saved_rip(), kCode);
  EXPECT_EQ(saved_flags() & kRflagsRf, kRflagsRf);
}

TEST_F(VcpuTest, TrapBeatsInterrupt) {
  state().rflags |= kRflagsTf | kRflagsIf;
  set_gate(kDB, kCode64, 0x8f);
  run({0x90, 0x90}, 1);
  interrupts.pending = true;
  vcpu().run(100);
  // #DB first; its trap gate leaves IF, so the interrupt comes before the handler's first instruction.
  EXPECT_TRUE(in_handler(0x30));
  EXPECT_EQ(saved_rip(), handler(kDB));
}

// --- Breakpoints ---

TEST_F(VcpuTest, InstructionBreakpoint) {
  state().dr[1] = kCode + 1;
  state().dr7 = 0x400 | 1u << 2;
  run({0x90, 0x90, 0x90}, 100);
  EXPECT_TRUE(in_handler(kDB));
  EXPECT_EQ(saved_rip(), kCode + 1);
  EXPECT_EQ(saved_flags() & kRflagsRf, 0u);
  EXPECT_EQ(state().dr6, 0xffff0ff2u);
}

TEST_F(VcpuTest, RfSkipsOneInstructionBreakpoint) {
  state().dr[0] = kCode;
  state().dr7 = 0x400 | 1;
  code({0xeb, 0xfe});  // JMP to itself
  state().rflags |= kRflagsRf;
  vcpu().run(1);
  EXPECT_EQ(state().rip, kCode);
  EXPECT_EQ(state().rflags & kRflagsRf, 0u);
  vcpu().run(2);
  EXPECT_TRUE(in_handler(kDB));
}

TEST_F(VcpuTest, DataBreakpoints) {
  struct Row {
    const char* what;
    u64 dr, rw_len;
    bool write;
    bool hits;
  };
  const Row rows[] = {
      {"write, watched for writes", kData, 1, true, true},
      {"read, watched for writes", kData, 1, false, false},
      {"read, watched for both", kData, 3, false, true},
      {"next byte", kData + 1, 1, true, false},
      {"four bytes around", kData - 3, 1 | 3 << 2, true, false},
      {"aligned four bytes", kData + 3, 1 | 3 << 2, true, true},
      {"eight bytes", kData + 7, 1 | 2 << 2, true, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    enter_64bit();
    reg(RBX) = kData;
    code({0x8a, 0x03, 0x88, 0x03});
    vcpu().run(2);  // tags for the page are there
    state().dr[2] = row.dr;
    state().dr7 = 0x400 | 1u << 4 | row.rw_len << 24;
    update_watches(cpu());
    const u8 opcode = row.write ? 0x88 : 0x8a;
    run({0x90, opcode, 0x03, 0x90, 0x90}, 4);
    EXPECT_EQ(in_handler(kDB), row.hits);
    if (row.hits) {
      EXPECT_EQ(saved_rip(), kCode + 3);
      EXPECT_EQ(state().dr6, 0xffff0ff4u);
    }
  }
}

TEST_F(VcpuTest, DataBreakpointOnMovSsWaits) {
  poke<u16>(kData, kData0);
  reg(RBX) = kData;
  state().dr[0] = kData;
  state().dr7 = 0x400 | 1 | 3u << 16;
  update_watches(cpu());
  run({0x8e, 0x13, 0x90, 0x90}, 100);
  EXPECT_TRUE(in_handler(kDB));
  EXPECT_EQ(saved_rip(), kCode + 3);
}

TEST_F(VcpuTest, BreakpointOfAFaultingInstructionWaitsForTheRerun) {
  // MOVS reads the watched byte, then faults on its store.
  reg(RSI) = kData;
  reg(RDI) = 0x50000;
  unmap(0x50000);
  state().dr[0] = kData;
  state().dr7 = 0x400 | 1 | 3u << 16;
  update_watches(cpu());
  run({0xa4, 0x90}, 100);
  EXPECT_TRUE(in_handler(kPF));
  EXPECT_EQ(state().dr6, 0xffff0ff0u);
}

TEST_F(VcpuTest, PortBreakpointNeedsDe) {
  for (const bool de : {false, true}) {
    enter_64bit();
    state().dr[0] = 0x80;
    state().dr7 = 0x400 | 1 | 2u << 16;
    state().cr4 |= de ? mmu::kCr4De : 0;
    apply();
    run({0xe6, 0x80, 0x90, 0x90}, 3);
    EXPECT_EQ(in_handler(kDB), de);
  }
}

TEST_F(VcpuTest, SaveAndLoad) {
  run({0xfb, 0x90}, 1);
  state().pending_debug = 5;
  state().ymm[3].qword[1] = 77;
  Archive save;
  state().serialize(save);
  CpuState loaded;
  Archive load(save.bytes());
  loaded.serialize(load);
  EXPECT_TRUE(load.ok());
  Archive again;
  loaded.serialize(again);
  EXPECT_TRUE(
      std::equal(save.bytes().begin(), save.bytes().end(), again.bytes().begin(), again.bytes().end()));
  EXPECT_TRUE(loaded.sti_shadow);
  EXPECT_EQ(loaded.ymm[3].qword[1], 77u);
}

TEST_F(VcpuTest, InitWaitsForTheBoundary) {
  code({0x90, 0x90});
  reg(RAX) = 5;
  vcpu().raise_init(Activity::Running);
  EXPECT_EQ(state().rip, kCode);
  EXPECT_EQ(reg(RAX), 5u);
  EXPECT_EQ(bus.inits, 0u);
  const u64 retired = state().retired;
  EXPECT_EQ(vcpu().run(1), VcpuExit::Budget);
  EXPECT_EQ(state().retired - retired, 1u);
  EXPECT_EQ(state().rip, 0xfff0u);
  EXPECT_EQ(reg(RAX), 0u);
  EXPECT_EQ(bus.inits, 1u) << "the local APIC hears of it";
  EXPECT_EQ(bus.stalled_ns, kDeliveryNs);
  EXPECT_FALSE(state().init_pending);
}

TEST_F(VcpuTest, StartUp) {
  vcpu().raise_start_up(0x11);
  EXPECT_FALSE(state().sipi_pending) << "it runs";
  vcpu().raise_init(Activity::WaitForSipi);
  EXPECT_EQ(vcpu().run(10), VcpuExit::WaitForSipi);
  EXPECT_FALSE(vcpu().runnable());
  vcpu().raise_start_up(0x12);
  vcpu().raise_start_up(0x13);
  EXPECT_EQ(state().activity, Activity::WaitForSipi);
  EXPECT_TRUE(vcpu().runnable());
  EXPECT_EQ(vcpu().run(1), VcpuExit::Budget);
  EXPECT_EQ(state().seg[CS].selector, 0x1200u);
  EXPECT_EQ(state().seg[CS].base, 0x12000u);
  EXPECT_EQ(state().rip, 0u);
  EXPECT_EQ(state().activity, Activity::Running);
  vcpu().raise_start_up(0x14);
  EXPECT_FALSE(state().sipi_pending);
}

TEST_F(VcpuTest, StartUpBehindAnInitThatIsNotTakenYet) {
  vcpu().raise_init(Activity::WaitForSipi);
  vcpu().raise_start_up(0x15);
  EXPECT_EQ(vcpu().run(2), VcpuExit::Budget);
  EXPECT_EQ(state().seg[CS].base, 0x15000u);
  // The other way round, the INIT is the last word.
  vcpu().raise_init(Activity::WaitForSipi);
  vcpu().raise_start_up(0x16);
  vcpu().raise_init(Activity::WaitForSipi);
  EXPECT_EQ(vcpu().run(10), VcpuExit::WaitForSipi);
  vcpu().raise_start_up(0x17);
  vcpu().raise_init(Activity::WaitForSipi);
  EXPECT_EQ(vcpu().run(10), VcpuExit::WaitForSipi);
}

TEST_F(VcpuTest, InitWakesFromHalt) {
  EXPECT_EQ(run({0xf4}, 10), VcpuExit::Halted);
  vcpu().raise_init(Activity::Running);
  EXPECT_EQ(vcpu().run(1), VcpuExit::Budget);
  EXPECT_EQ(state().rip, 0xfff0u);
}

TEST_F(VcpuTest, ThePinOfA20ActsAtTheBoundaryAndOutlastsResets) {
  vcpu().set_a20_pin(false);
  EXPECT_TRUE(cpu().mmu.a20_enabled());
  run({0x90}, 1);
  EXPECT_FALSE(cpu().mmu.a20_enabled());
  vcpu().raise_init(Activity::Running);
  vcpu().run(1);
  EXPECT_FALSE(state().a20_pin);
  vcpu().reset(1);
  EXPECT_FALSE(state().a20_pin);
  vcpu().set_a20_pin(true);
  enter_64bit();
  run({0x90}, 1);
  EXPECT_TRUE(cpu().mmu.a20_enabled());
}

TEST_F(VcpuTest, DumpNamesTheRegisters) {
  reg(R15) = 0x1122334455667788;
  EXPECT_NE(cpu().dump().find("r15 1122334455667788"), std::string::npos);
}

}  // namespace
}  // namespace reprise::test
