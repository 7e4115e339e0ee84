// Performance counters: what they count, where they overflow, and that their state does not depend on who looks.
#include "cpu/core/perf_counters.h"
#include "cpu/system/msr.h"
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

enum : u32 {
  kPmc0 = 0xc1,
  kPerfEvtSel0 = 0x186,
  kDebugctl = 0x1d9,
  kFixedCtr0 = 0x309,
  kFixedCtrCtrl = 0x38d,
  kGlobalStatus = 0x38e,
  kGlobalCtrl = 0x38f,
  kAPmc0 = 0x4c1,
};
constexpr u64 kInsns = 0xc0, kCycles = 0x3c, kUser = 1u << 16, kOs = 1u << 17, kBoth = kUser | kOs,
              kInterrupt = 1u << 20, kEnable = 1u << 22;
constexpr u64 kEnd = PmuState::kEnd;

class PerfCounters : public SystemFixture {
 public:
  u64 msr(u32 number) {
    u64 value = ~u64{0};
    EXPECT_TRUE(read_msr(cpu(), number, value));
    return value;
  }
  void set(u32 number, u64 value) { EXPECT_TRUE(write_msr(cpu(), number, value)) << number; }
  bool refused(u32 number, u64 value) { return !write_msr(cpu(), number, value); }
  /// General counter `n` counts `what` from `value` on.
  void count(unsigned n, u64 what, u64 value = 0) {
    set(kAPmc0 + n, value);
    set(kPerfEvtSel0 + n, what | kEnable);
  }
  u64 pmc(unsigned n) { return msr(kPmc0 + n); }
  void nops(unsigned n) {
    for (unsigned i = 0; i < n; ++i) poke<u8>(kCode + i, 0x90);
    state().rip = kCode;
  }
};

TEST_F(PerfCounters, CountWhatIsEnabled) {
  nops(20);
  count(0, kInsns | kBoth);
  count(1, kCycles | kOs);
  count(2, kInsns | kUser);
  set(kPerfEvtSel0 + 3, kInsns | kBoth);
  run(10);
  EXPECT_EQ(pmc(0), 10u);
  EXPECT_EQ(pmc(1), 10u);
  EXPECT_EQ(pmc(2), 0u);
  EXPECT_EQ(pmc(3), 0u);
  set(kGlobalCtrl, 2);
  run(5);
  EXPECT_EQ(pmc(0), 10u);
  EXPECT_EQ(pmc(1), 15u);
}

TEST_F(PerfCounters, RingsByTheInstruction) {
  enter_64bit(3);
  set_gate(0x80, kCode64, 0xee);
  code({0x90, 0x90, 0xcd, 0x80, 0x90, 0x90, 0xcd, 0x80});  // NOP, NOP, INT 80H, twice
  code({0x90, 0x48, 0xcf}, handler(0x80));                 // NOP, IRETQ
  count(0, kInsns | kUser);
  count(1, kInsns | kOs);
  count(2, kCycles | kUser);
  run(10);
  EXPECT_EQ(pmc(0), 6u);
  EXPECT_EQ(pmc(1), 4u);
  EXPECT_EQ(pmc(2), 6u);
}

TEST_F(PerfCounters, EventsAreCyclesButNoInstructions) {
  code({0x0f, 0x0b, 0x90});                                        // UD2, NOP
  code({0x48, 0x83, 0x04, 0x24, 0x02, 0x48, 0xcf}, handler(kUD));  // ADD QWORD [RSP], 2; IRETQ
  count(0, kInsns | kBoth);
  count(1, kCycles | kBoth);
  count(2, kInsns | kBoth | u64{1} << 24 | u64{1} << 23);  // cycles without one
  run(4);
  EXPECT_EQ(state().rip, kCode + 3);
  EXPECT_EQ(pmc(0), 3u);
  EXPECT_EQ(pmc(1), 4u);
  EXPECT_EQ(pmc(2), 1u);
  state().stalled_ns += 200;
  EXPECT_EQ(pmc(1), 204u);
  EXPECT_EQ(pmc(2), 201u);
}

TEST_F(PerfCounters, ARepIsOneInstructionHoweverItIsCut) {
  for (const u64 budget : {1u, 7u, 1000u}) {
    enter_64bit();
    code({0xf3, 0xaa, 0x90, 0x90});  // REP STOSB
    reg(RCX) = 100;
    reg(RDI) = kData;
    count(0, kInsns | kBoth);
    count(1, kCycles | kBoth);
    for (u64 left = 101; left > 0; left -= std::min(left, budget)) run(std::min(left, budget));
    EXPECT_EQ(pmc(0), 2u);
    EXPECT_EQ(pmc(1), 101u);
    EXPECT_EQ(state().rip, kCode + 3);
  }
}

TEST_F(PerfCounters, AFaultInTheMiddleOfARep) {
  unmap(kData + kPageBytes);
  code({0xf3, 0xaa});
  reg(RCX) = 100;
  reg(RDI) = kData + kPageBytes - 10;
  count(0, kInsns | kBoth);
  run(11);  // ten iterations and the fault
  EXPECT_EQ(state().rip, handler(kPF));
  EXPECT_EQ(pmc(0), 0u);
  EXPECT_EQ(state().retired_no_insn, 11u);
}

TEST_F(PerfCounters, TheInterruptComesBehindTheInstructionThatOverflows) {
  for (u64 insns = 1; insns < 12; ++insns) {
    enter_64bit();
    nops(20);
    count(0, kInsns | kBoth | kInterrupt, kEnd - insns);
    const unsigned before = bus.performance_interrupts;
    run(insns - 1);
    EXPECT_EQ(bus.performance_interrupts, before);
    bus.on_performance_interrupt = [this] { vcpu().raise_nmi(); };
    run(15);
    EXPECT_EQ(bus.performance_interrupts, before + 1);
    EXPECT_EQ(peek<u64>(reg(RSP)), kCode + insns);
    EXPECT_EQ(msr(kGlobalStatus), 1u);
    EXPECT_EQ(pmc(0), 1u);  // the handler's HLT
    bus.on_performance_interrupt = nullptr;
  }
}

TEST_F(PerfCounters, OverflowBehindARep) {
  bus.on_performance_interrupt = [this] { vcpu().raise_nmi(); };
  code({0x90, 0xf3, 0xaa, 0x90, 0x90});
  state().rip = kCode;
  reg(RCX) = 500;
  reg(RDI) = kData;
  count(0, kInsns | kBoth | kInterrupt, kEnd - 2);
  run(600);
  EXPECT_EQ(bus.performance_interrupts, 1u);
  EXPECT_EQ(peek<u64>(reg(RSP)), kCode + 3);
}

TEST_F(PerfCounters, OverflowOfTheLastInstructionOfARing) {
  enter_64bit(3);
  set_gate(0x80, kCode64, 0xee);
  code({0x90, 0xcd, 0x80});
  bus.on_performance_interrupt = [this] { vcpu().raise_nmi(); };
  count(0, kInsns | kUser | kInterrupt, kEnd - 2);
  run(10);
  EXPECT_EQ(bus.performance_interrupts, 1u);
  EXPECT_EQ(peek<u64>(reg(RSP)), handler(0x80));  // INT itself was the last one
  EXPECT_EQ(pmc(0), 0u);
}

TEST_F(PerfCounters, AStallOverflows) {
  nops(10);
  count(0, kCycles | kBoth | kInterrupt, kEnd - 100);
  run(2);
  state().stalled_ns += 150;
  EXPECT_EQ(bus.performance_interrupts, 0u);
  run(1);
  EXPECT_EQ(bus.performance_interrupts, 1u);
  EXPECT_EQ(pmc(0), 2u + 150 - 100 + 1);
}

TEST_F(PerfCounters, HltOverflowsAndWakes) {
  bus.on_performance_interrupt = [this] { vcpu().raise_nmi(); };
  code({0x90, 0xf4});
  count(0, kInsns | kBoth | kInterrupt, kEnd - 2);
  state().rip = kCode;
  run(3);
  EXPECT_EQ(state().rip, handler(kNMI));
}

TEST_F(PerfCounters, StandWhileHalted) {
  code({0xfb, 0xf4});
  state().rip = kCode;
  set(kFixedCtrCtrl, 0x300);  // reference cycles
  set(kGlobalCtrl, u64{4} << 32);
  run(10);
  EXPECT_EQ(state().activity, Activity::Halted);
  bus.idle_ns = 12345;
  EXPECT_EQ(msr(kFixedCtr0 + 2), 2u);
  interrupts.pending = true;
  run(1);
  EXPECT_EQ(msr(kFixedCtr0 + 2), 3u);
  bus.idle_ns += 100;  // of other processors
  EXPECT_EQ(msr(kFixedCtr0 + 2), 103u);
}

TEST_F(PerfCounters, FreezeOnInterrupt) {
  nops(20);
  set(kDebugctl, 1u << 12);
  count(0, kInsns | kBoth | kInterrupt, kEnd - 3);
  count(1, kInsns | kBoth);
  run(10);
  EXPECT_EQ(msr(kGlobalCtrl), 0u);
  EXPECT_EQ(pmc(0), 0u);
  EXPECT_EQ(pmc(1), 3u);
}

TEST_F(PerfCounters, MasksAndMissingEvents) {
  nops(20);
  count(0, 0xc4 | kBoth);  // branches
  count(1, 0xc4 | kBoth | u64{1} << 23 | u64{1} << 24);
  count(2, kInsns | kBoth | u64{2} << 24);
  count(3, kInsns | kBoth | u64{1} << 18 | u64{1} << 24);  // edges
  run(10);
  EXPECT_EQ(pmc(0), 0u);
  EXPECT_EQ(pmc(1), 10u);
  EXPECT_EQ(pmc(2), 0u);
  EXPECT_EQ(pmc(3), 0u);
}

TEST_F(PerfCounters, WhatRegistersTake) {
  set(kPmc0, 0xffff'ffff'8000'0000);
  EXPECT_EQ(pmc(0), 0xffff'8000'0000u);
  set(kPmc0, 0xffff'ffff'7fff'ffff);
  EXPECT_EQ(pmc(0), 0x7fff'ffffu);
  EXPECT_TRUE(refused(kAPmc0, kEnd));
  EXPECT_TRUE(refused(kFixedCtr0, kEnd));
  EXPECT_TRUE(refused(kPerfEvtSel0, 1u << 21));
  EXPECT_TRUE(refused(kFixedCtrCtrl, 4));
  EXPECT_TRUE(refused(kGlobalCtrl, 0x10));
  EXPECT_TRUE(refused(kGlobalStatus, 0));
  EXPECT_TRUE(refused(kDebugctl, 1u << 6));
}

TEST_F(PerfCounters, RdpmcRules) {
  set(kAPmc0 + 3, 0x8765'4321'0fed);
  reg(RCX) = 3;
  expect_retires({0x0f, 0x33});
  EXPECT_EQ(reg(RAX), 0x43210fedu);
  EXPECT_EQ(reg(RDX), 0x8765u);
  reg(RCX) = 0x40000002;
  expect_retires({0x0f, 0x33});
  for (const u64 wrong : {4u, 0x40000003u, 0x80000000u, 0x60000000u}) {
    reg(RCX) = wrong;
    expect_fault({0x0f, 0x33}, kGP);
  }
  enter_64bit(3);
  reg(RCX) = 0;
  expect_fault({0x0f, 0x33}, kGP);
  state().cr4 |= mmu::kCr4Pce;
  expect_retires({0x0f, 0x33});
}

TEST_F(PerfCounters, InitKeepsThemAndResetDoesNot) {
  nops(5);
  count(0, kInsns | kBoth);
  run(5);
  vcpu().raise_init(Activity::WaitForSipi);
  run(1);
  EXPECT_EQ(pmc(0), 5u);
  EXPECT_EQ(msr(kPerfEvtSel0), kInsns | kBoth | kEnable);
  vcpu().reset(0);
  EXPECT_EQ(pmc(0), 0u);
  EXPECT_EQ(msr(kPerfEvtSel0), 0u);
  EXPECT_EQ(msr(kGlobalCtrl), 0xfu);
}

TEST_F(PerfCounters, ALoadedValueBeyondTheEndOverflowsOnce) {
  nops(20);
  count(0, kInsns | kBoth | kInterrupt);
  state().pmu.counters[0] = u64{0x1234} << PmuState::kWidth;
  EXPECT_EQ(run(10), VcpuExit::Budget);
  EXPECT_EQ(bus.performance_interrupts, 1u);
  EXPECT_EQ(pmc(0), 10u);
}

TEST_F(PerfCounters, StateIsTheSameHoweverOftenTheProcessorStops) {
  std::vector<std::vector<u8>> seen;
  for (const u64 budget : {1u, 3u, 1000u}) {
    enter_64bit(3);
    state().retired = state().retired_no_insn = 0;
    set_gate(0x80, kCode64, 0xee);
    code({0xb9, 0x20, 0, 0, 0, 0xf3, 0xaa, 0xcd, 0x80, 0xeb, 0xf5});  // MOV ECX, 32; REP STOSB; INT 80H; JMP
    code({0x90, 0x48, 0xcf}, handler(0x80));
    reg(RDI) = kData;
    bus.on_performance_interrupt = [this] { state().pmu.global_status = 0; };
    count(0, kInsns | kUser | kInterrupt, kEnd - 17);
    count(1, kCycles | kOs);
    count(2, (kCycles | 1u << 8) | kUser);
    set(kFixedCtrCtrl, 0xbbb);
    set(kGlobalCtrl, PmuState::kAllCounters);
    for (u64 left = 600; left > 0; left -= std::min(left, budget)) run(std::min(left, budget));
    Archive archive;
    state().serialize(archive);
    seen.emplace_back(archive.bytes().begin(), archive.bytes().end());
  }
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
}

}  // namespace
}  // namespace reprise::test
