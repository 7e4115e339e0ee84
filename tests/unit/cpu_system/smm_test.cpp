// System management mode: what an SMI saves and starts, what RSM takes back and refuses. SDM 3C chapter 31,
// APM 2 chapter 10.
#include <random>

#include "cpu/system/debug_regs.h"
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

constexpr u32 kSmbase = kResetSmbase;
constexpr u64 kHandler = kSmbase + 0x8000;
constexpr u64 kRevision = kSmbase + 0xfefc;
constexpr u64 kSmbaseField = kSmbase + 0xff00;
constexpr u64 kAutoHalt = kSmbase + 0xfec9;
constexpr u64 kNmiMask = kSmbase + 0xfeca;
constexpr u64 kSavedEfer = kSmbase + 0xfed0;
constexpr u64 kSavedCr4 = kSmbase + 0xff48;
constexpr u64 kSavedCr3 = kSmbase + 0xff50;
constexpr u64 kSavedCr0 = kSmbase + 0xff58;
constexpr u64 kSavedDr7 = kSmbase + 0xff60;
constexpr u64 kSavedDr6 = kSmbase + 0xff68;
constexpr u64 kSavedRflags = kSmbase + 0xff70;
constexpr u64 kSavedRip = kSmbase + 0xff78;
constexpr u64 kSavedRax = kSmbase + 0xfff8;
constexpr u64 segment_field(SegmentIndex index) { return kSmbase + 0xfe00 + 16 * u64{index}; }

class SmmTest : public SystemFixture {
 public:
  SmmTest() { rsm_at(kHandler); }
  void rsm_at(u64 phys) { code({0x0f, 0xaa}, phys); }
};

/// Entering SMM counts as an instruction does.
constexpr u64 kEntry = 1;

/// The state but for what runs on.
std::vector<u8> image(const CpuState& original) {
  CpuState state = original;
  state.retired = state.retired_no_insn = 0;
  Archive archive;
  state.serialize(archive);
  return {archive.bytes().begin(), archive.bytes().end()};
}

TEST_F(SmmTest, RsmIsInvalidOutsideSmm) {
  expect_fault({0x0f, 0xaa}, kUD);
  enter_real();
  state().rip = kCode & 0xffff;
  code({0x0f, 0xaa}, kCode & 0xffff);
  ASSERT_EQ(engine().run(cpu(), 1), RunExit::Fault);
  EXPECT_EQ(cpu().fault.vector, kUD);
}

TEST_F(SmmTest, EntryState) {
  code({0xeb, 0xfe}, kHandler);  // jmp $
  state().rip = kCode + 0x123;
  state().dr7 = 0x0000'0455;
  state().dr[0] = 0x1234;
  state().rflags |= kRflagsIf | kRflagsCf | kRflagsDf;
  state().cr0 |= mmu::kCr0Ts | mmu::kCr0Em | mmu::kCr0Mp;
  reg(RBX) = 0x1122'3344'5566'7788;
  const u64 cr3 = state().cr3;
  vcpu().raise_smi();
  EXPECT_EQ(vcpu().run(kEntry + 1), VcpuExit::Budget);
  const CpuState& s = state();
  EXPECT_TRUE(s.in_smm);
  EXPECT_FALSE(s.smi_pending);
  EXPECT_TRUE(s.nmi_blocked);
  EXPECT_EQ(s.rip, 0x8000u);
  EXPECT_EQ(s.rflags, 2u);
  EXPECT_EQ(s.cr0, mmu::kCr0Wp | mmu::kCr0Ne | mmu::kCr0Et | mmu::kCr0Mp);
  EXPECT_EQ(s.cr3, cr3);
  EXPECT_EQ(s.cr4, 0u);
  EXPECT_EQ(s.efer, 0u);
  EXPECT_EQ(s.dr7, 0x400u);
  EXPECT_EQ(s.dr[0], 0x1234u);
  EXPECT_EQ(s.cpl, 0);
  EXPECT_EQ(s.seg[CS].selector, 0x3000);
  EXPECT_EQ(s.seg[CS].base, kSmbase);
  EXPECT_EQ(s.seg[CS].access, 0x8093);
  for (const SegmentIndex index : {ES, SS, DS, FS, GS}) {
    EXPECT_EQ(s.seg[index].selector, 0);
    EXPECT_EQ(s.seg[index].base, 0u);
    EXPECT_EQ(s.seg[index].limit, 0xffffffffu);
    EXPECT_EQ(s.seg[index].access, 0x8093);
  }
  EXPECT_EQ(s.tr.selector, kTssSelector) << "unchanged";
  EXPECT_EQ(s.gdtr.base, kGdt);
  EXPECT_EQ(reg(RBX), 0x1122'3344'5566'7788u);
  EXPECT_EQ(vcpu().counts().smis, 1u);
  EXPECT_EQ(bus.stalled_ns, kSmiNs);
}

TEST_F(SmmTest, SaveMapOfLongMode) {
  code({0xeb, 0xfe}, kHandler);
  for (unsigned i = 0; i < 16; ++i) state().gpr[i] = u64{0x0f11'0000'0000'0000} * (i + 1) + i;
  state().seg[FS].base = 0xffff'8000'1234'5678;
  state().rip = kCode;
  state().dr6 = 0xffff4ff1;
  state().dr7 = 0x701;
  vcpu().raise_smi();
  vcpu().run(kEntry + 1);
  EXPECT_EQ(peek<u32>(kRevision), 0x20064u);
  EXPECT_EQ(peek<u32>(kSmbaseField), kSmbase);
  EXPECT_EQ(peek<u8>(kAutoHalt), 0);
  EXPECT_EQ(peek<u64>(kSavedRip), kCode);
  EXPECT_EQ(peek<u64>(kSavedRflags), 2u);
  EXPECT_EQ(peek<u64>(kSavedCr0), mmu::kCr0Pe | mmu::kCr0Pg | mmu::kCr0Wp | mmu::kCr0Ne | mmu::kCr0Et);
  EXPECT_EQ(peek<u64>(kSavedCr3), kPml4);
  EXPECT_EQ(peek<u64>(kSavedCr4), mmu::kCr4Pae | mmu::kCr4Osfxsr | mmu::kCr4Osxsave | mmu::kCr4Fsgsbase);
  EXPECT_EQ(peek<u64>(kSavedEfer), mmu::kEferLme | mmu::kEferLma | mmu::kEferNxe | mmu::kEferSce);
  EXPECT_EQ(peek<u64>(kSavedDr6), 0xffff4ff1u);
  EXPECT_EQ(peek<u64>(kSavedDr7), 0x701u);
  for (unsigned i = 0; i < 16; ++i)
    EXPECT_EQ(peek<u64>(kSavedRax - 8 * i), u64{0x0f11'0000'0000'0000} * (i + 1) + i) << i;
  EXPECT_EQ(peek<u16>(segment_field(CS)), kCode64);
  EXPECT_EQ(peek<u16>(segment_field(CS) + 2), 0xa09b);
  EXPECT_EQ(peek<u32>(segment_field(CS) + 4), 0xffffffffu);
  EXPECT_EQ(peek<u64>(segment_field(FS) + 8), 0xffff'8000'1234'5678u);
  EXPECT_EQ(peek<u16>(kSmbase + 0xfe90), kTssSelector);
  EXPECT_EQ(peek<u64>(kSmbase + 0xfe98), kTss);
  EXPECT_EQ(peek<u32>(kSmbase + 0xfe64), state().gdtr.limit);
  EXPECT_EQ(peek<u64>(kSmbase + 0xfe68), kGdt);
  EXPECT_EQ(peek<u64>(kSmbase + 0xfe88), kIdt);
}

TEST_F(SmmTest, RsmGivesBackEveryMode) {
  const auto expect_round_trip = [&](const char* mode) {
    state().rflags |= kRflagsCf | kRflagsAc;
    state().dr7 = 0x700;
    state().dr6 = 0xffff0ff2;
    apply();
    const std::vector<u8> before = image(state());
    const ModeKey mode_before = cpu().mode;
    vcpu().raise_smi();
    EXPECT_EQ(vcpu().run(kEntry + 1), VcpuExit::Budget) << mode;
    EXPECT_FALSE(state().in_smm) << mode;
    EXPECT_EQ(image(state()), before) << mode;
    EXPECT_EQ(cpu().mode, mode_before) << mode;
    EXPECT_EQ(cpu().mmu.context().cr0, state().cr0) << mode;
    EXPECT_EQ(cpu().mmu.context().efer, state().efer) << mode;
    EXPECT_EQ(vcpu().counts().exceptions, 0u) << mode;
  };
  for (const u8 cpl : {u8{0}, u8{3}}) {
    enter_64bit(cpl);
    expect_round_trip("64-bit");
    enter_compat(cpl);
    expect_round_trip("compatibility");
    enter_32bit(cpl);
    expect_round_trip("32-bit");
  }
  enter_v86(3);
  expect_round_trip("virtual-8086");
  enter_real();
  state().ldtr = state().tr = null_segment(0);
  state().seg[DS].limit = 0xffffffff;
  state().seg[DS].access |= Segment::kGranularity;
  expect_round_trip("real with a flat DS");
  enter_64bit();
  state().seg[SS] = null_segment(0);
  state().seg[DS] = null_segment(0);
  state().ldtr = null_segment(0);
  expect_round_trip("null segments");
}

TEST_F(SmmTest, PdptesComeFromMemory) {
  enter_32bit();
  state().cr0 |= mmu::kCr0Pg;
  state().cr4 = mmu::kCr4Pae;
  state().cr3 = 0x6000;
  for (unsigned i = 0; i < 4; ++i) poke<u64>(0x6000 + 8 * i, kPageDirectory | 1);
  apply();
  state().rip = kCode;
  code({0x90}, kCode);
  vcpu().raise_smi();
  EXPECT_EQ(vcpu().run(kEntry + 2), VcpuExit::Budget);
  EXPECT_EQ(state().rip, kCode + 1);
  EXPECT_EQ(cpu().mmu.context().pdptes[3], kPageDirectory | 1);
  poke<u64>(0x6018, kPageDirectory | 0x1e1);  // reserved bits
  vcpu().raise_smi();
  EXPECT_EQ(vcpu().run(kEntry + 2), VcpuExit::Shutdown);
  EXPECT_TRUE(state().in_smm);
}

TEST_F(SmmTest, HaltResumesAsTheHandlerSays) {
  state().rflags |= kRflagsIf;
  EXPECT_EQ(run({0xf4, 0x90, 0x90}, 10), VcpuExit::Halted);
  vcpu().raise_smi();
  EXPECT_EQ(vcpu().run(10), VcpuExit::Halted) << "the handler left the flag";
  EXPECT_EQ(peek<u8>(kAutoHalt), 1);
  EXPECT_EQ(state().rip, kCode + 1);
  EXPECT_EQ(vcpu().counts().smis, 1u);
  // mov byte ptr cs:[0xfec9], 0; rsm
  code({0x2e, 0xc6, 0x06, 0xc9, 0xfe, 0x00, 0x0f, 0xaa}, kHandler);
  vcpu().raise_smi();
  EXPECT_EQ(vcpu().run(kEntry + 3), VcpuExit::Budget);
  EXPECT_EQ(state().rip, kCode + 2);
  EXPECT_EQ(state().activity, Activity::Running);
}

TEST_F(SmmTest, SmbaseMovesWithRsm) {
  // mov dword ptr cs:[0xff00], 0x50000; rsm
  code({0x66, 0x2e, 0xc7, 0x06, 0x00, 0xff, 0x00, 0x00, 0x05, 0x00, 0x0f, 0xaa}, kHandler);
  rsm_at(0x58000);
  code({0x90, 0x90, 0x90}, kCode);
  state().rip = kCode;
  vcpu().raise_smi();
  vcpu().run(kEntry + 3);
  EXPECT_EQ(state().smbase, 0x50000u);
  vcpu().raise_smi();
  vcpu().run(kEntry + 2);
  EXPECT_EQ(peek<u32>(0x50000 + 0xff00), 0x50000u);
  EXPECT_EQ(peek<u64>(0x50000 + 0xff78), kCode + 1);
  vcpu().raise_init(Activity::Running);
  vcpu().run(1);
  EXPECT_EQ(state().rip, 0xfff0u);
  EXPECT_EQ(state().smbase, 0x50000u) << "INIT leaves it alone";
  vcpu().reset(1);
  EXPECT_EQ(state().smbase, kSmbase);
}

TEST_F(SmmTest, AnSmiInSmmWaits) {
  code({0x90, 0x90, 0x0f, 0xaa}, kHandler);
  code({0x90, 0x90}, kCode);
  state().rip = kCode;
  vcpu().raise_smi();
  vcpu().run(kEntry + 1);
  vcpu().raise_smi();
  vcpu().raise_smi();
  vcpu().run(2);
  EXPECT_EQ(vcpu().counts().smis, 1u);
  EXPECT_FALSE(state().in_smm);
  vcpu().run(kEntry + 3);
  EXPECT_EQ(vcpu().counts().smis, 2u) << "one was remembered";
  EXPECT_EQ(state().rip, kCode) << "before the next instruction";
  vcpu().run(1);
  EXPECT_EQ(vcpu().counts().smis, 2u);
  EXPECT_EQ(state().rip, kCode + 1);
}

TEST_F(SmmTest, AnSmiWaitsForAShadow) {
  code({0xfb, 0x90, 0x90}, kCode);  // sti
  state().rip = kCode;
  vcpu().run(1);
  vcpu().raise_smi();
  vcpu().run(kEntry + 2);
  EXPECT_EQ(peek<u64>(kSavedRip), kCode + 2);
}

TEST_F(SmmTest, NmiWaitsForRsm) {
  code({0x90, 0x90, 0x0f, 0xaa}, kHandler);
  code({0x90}, kCode);
  state().rip = kCode;
  vcpu().raise_smi();
  vcpu().run(kEntry + 1);
  vcpu().raise_nmi();
  vcpu().run(2);
  EXPECT_FALSE(state().in_smm);
  EXPECT_TRUE(state().nmi_pending);
  EXPECT_FALSE(state().nmi_blocked);
  EXPECT_EQ(vcpu().run(10), VcpuExit::Halted);
  EXPECT_EQ(state().rip, handler(kNMI) + 1);
}

TEST_F(SmmTest, RsmLeavesNmiBlockedAsItWas) {
  state().nmi_blocked = true;
  code({0x90}, kCode);
  state().rip = kCode;
  vcpu().raise_smi();
  vcpu().run(kEntry + 2);
  EXPECT_EQ(peek<u8>(kNmiMask), 1);
  EXPECT_TRUE(state().nmi_blocked);
}

TEST_F(SmmTest, InitWaitsForRsm) {
  code({0x90, 0x0f, 0xaa}, kHandler);
  code({0x90}, kCode);
  state().rip = kCode;
  vcpu().raise_smi();
  vcpu().run(kEntry + 1);
  vcpu().raise_init(Activity::WaitForSipi);
  EXPECT_TRUE(state().in_smm);
  EXPECT_EQ(vcpu().run(10), VcpuExit::WaitForSipi);
  EXPECT_FALSE(state().in_smm);
  EXPECT_EQ(state().rip, 0xfff0u);
}

TEST_F(SmmTest, ADebugTrapComesAfterTheSmi) {
  code({0x90, 0x90}, kCode);
  state().rip = kCode;
  state().rflags |= kRflagsTf;
  vcpu().run(1);
  ASSERT_EQ(state().pending_debug, kDr6Bs);
  vcpu().raise_smi();
  vcpu().run(kEntry + 1);  // RSM
  EXPECT_EQ(vcpu().counts().smis, 1u);
  EXPECT_EQ(state().rip, kCode + 1);
  EXPECT_EQ(state().pending_debug, kDr6Bs);
  EXPECT_EQ(vcpu().run(10), VcpuExit::Halted);
  EXPECT_EQ(state().rip, handler(kDB) + 1);
  EXPECT_EQ(peek<u64>(reg(RSP)), kCode + 1);
}

TEST_F(SmmTest, ImpossibleStatesShutDown) {
  struct Case {
    const char* what;
    u64 phys;
    u64 bits;  // toggled
  };
  const Case cases[] = {
      {"CR0 PG without PE", kSavedCr0, mmu::kCr0Pe},
      {"CR0 NW without CD", kSavedCr0, mmu::kCr0Nw},
      {"CR0 above 31", kSavedCr0, u64{1} << 32},
      {"CR3 beyond MAXPHYADDR", kSavedCr3, u64{1} << 51},
      {"CR4 reserved", kSavedCr4, u64{1} << 15},
      {"CR4 above 31", kSavedCr4, u64{1} << 40},
      {"long mode without PAE", kSavedCr4, mmu::kCr4Pae},
      {"EFER reserved", kSavedEfer, u64{1} << 9},
      {"DR6 above 31", kSavedDr6, u64{1} << 32},
      {"DR7 above 31", kSavedDr7, u64{1} << 63},
      {"CS with L and D", segment_field(CS), u64{Segment::kDb} << 16},
      {"virtual-8086 in long mode", kSavedRflags, kRflagsVm},
  };
  code({0xeb, 0xfe}, kHandler);
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    vcpu().reset(1);
    enter_64bit();
    state().smbase = kSmbase;
    state().rip = kCode;
    vcpu().raise_smi();
    vcpu().run(kEntry + 1);
    ASSERT_TRUE(state().in_smm);
    poke<u64>(one.phys, peek<u64>(one.phys) ^ one.bits);
    const std::vector<u8> before = image(state());
    rsm_at(kHandler);
    EXPECT_EQ(vcpu().run(1), VcpuExit::Shutdown);
    state().activity = Activity::Running;
    EXPECT_EQ(image(state()), before) << "nothing else changed";
    state().in_smm = false;
    code({0xeb, 0xfe}, kHandler);
  }
}

TEST_F(SmmTest, ReservedBitsAreDropped) {
  code({0xeb, 0xfe}, kHandler);
  state().rip = kCode;
  vcpu().raise_smi();
  vcpu().run(kEntry + 1);
  poke<u64>(kSavedRflags, ~kRflagsVm);
  poke<u64>(kSavedDr6, 0xffffffff);
  poke<u64>(kSavedDr7, 0xffffffff);
  poke<u64>(kSavedEfer, mmu::kEferLme);
  rsm_at(kHandler);
  code({0xeb, 0xfe}, kCode);
  engine().run(cpu(), 1);
  EXPECT_EQ(state().rflags & ~kRflagsRf, 0x3c7fd7u);
  EXPECT_EQ(state().dr6, 0xffffefffu);
  EXPECT_EQ(state().dr7, 0xffff27ffu);
  EXPECT_EQ(state().efer, mmu::kEferLme | mmu::kEferLma) << "LMA follows LME and PG";
}

TEST_F(SmmTest, A20IsNotMaskedInSmm) {
  // mov byte ptr ds:[0x100100], 5 with a 32-bit address; rsm
  code({0x67, 0xc6, 0x05, 0x00, 0x01, 0x10, 0x00, 0x05, 0x0f, 0xaa}, kHandler);
  poke<u8>(0x100, 0);
  enter_32bit();
  vcpu().set_a20_pin(false);
  state().rip = kCode;
  vcpu().raise_smi();
  vcpu().run(kEntry + 2);
  EXPECT_EQ(peek<u8>(0x100100), 5);
  EXPECT_EQ(peek<u8>(0x100), 0);
  EXPECT_FALSE(cpu().mmu.a20_enabled());
}

// Code at the same physical address, inside and outside of SMM.
TEST_F(SmmTest, SmramCodeIsItsOwn) {
  class Window final : public MmioHandler {
   public:
    u64 mmio_read(u64, Width) override { return 0x9090'9090'9090'9090; }
    void mmio_write(u64, Width, u64) override { ++writes; }
    unsigned writes = 0;
  } window;
  ASSERT_TRUE(cpu().mmu.phys_map().add_mmio("window", 0xa0000, 0x20000, window).ok());
  cpu().mmu.set_smram({.phys = 0xa0000, .bytes = 0x20000, .code = true, .data = true});
  // inc byte ptr cs:[0x9000]; rsm
  code({0x2e, 0xfe, 0x06, 0x00, 0x90, 0x0f, 0xaa}, 0xa8000);
  enter_32bit();
  state().smbase = 0xa0000;
  for (unsigned i = 1; i < 4; ++i) {
    state().rip = 0xa8000;
    vcpu().raise_smi();
    EXPECT_EQ(vcpu().run(kEntry + 2 + 4), VcpuExit::Budget);
    EXPECT_EQ(peek<u8>(0xa9000), i);
    EXPECT_EQ(state().rip, 0xa8004u) << "NOPs of the window";
  }
  EXPECT_EQ(window.writes, 0u);
  // Data goes to the window, code comes from RAM.
  cpu().mmu.set_smram({.phys = 0xa0000, .bytes = 0x20000, .code = true, .data = false});
  state().rip = kCode;
  vcpu().raise_smi();
  vcpu().run(kEntry + 1);
  EXPECT_EQ(peek<u8>(0xa9000), 3);
  EXPECT_GT(window.writes, 1u);
}

// What was translated outside is not used inside.
TEST_F(SmmTest, TlbsAreEmptyOnBothWays) {
  // mov al, [0xb0000] with a 32-bit address; rsm
  code({0x67, 0xa0, 0x00, 0x00, 0x0b, 0x00, 0x0f, 0xaa}, kHandler);
  cpu().mmu.set_smram({.phys = 0xb0000, .bytes = 0x1000, .code = true, .data = true});
  map(0xb0000, 0x60000, mmu::kPteP | mmu::kPteRw | mmu::kPteUs);
  poke<u8>(0x60000, 0x11);
  poke<u8>(0xb0000, 0x22);
  code({0xa0, 0x00, 0x00, 0x0b, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x00, 0x00, 0x0b, 0x00, 0x00, 0x00, 0x00,
        0x00},
       kCode);
  state().rip = kCode;
  vcpu().run(1);
  EXPECT_EQ(reg(RAX) & 0xff, 0x11u);
  vcpu().raise_smi();
  vcpu().run(kEntry + 1);
  EXPECT_EQ(reg(RAX) & 0xff, 0x22u);
  vcpu().run(2);
  EXPECT_EQ(reg(RAX) & 0xff, 0x11u);
}

// Whatever the area holds, the result is defined.
TEST_F(SmmTest, NoiseInTheSaveArea) {
  std::mt19937_64 random(5);
  unsigned returned = 0;
  for (unsigned round = 0; round < 3000; ++round) {
    vcpu().reset(1);
    switch (round % 3) {
      case 0: enter_64bit(); break;
      case 1: enter_32bit(); break;
      default: enter_real(); break;
    }
    state().smbase = kSmbase;
    state().rip = kCode;
    code({0xeb, 0xfe}, kHandler);
    vcpu().raise_smi();
    vcpu().run(kEntry + 1);
    for (unsigned i = 0; i < 1 + round % 9; ++i) {
      const u64 phys = kSmbase + 0xfe00 + random() % 0x1f8;
      poke<u64>(phys, round % 2 ? random() : peek<u64>(phys) ^ (u64{1} << random() % 64));
    }
    rsm_at(kHandler);
    vcpu().run(1);
    if (!state().in_smm) ++returned;
    EXPECT_LE(state().cpl, 3);
    vcpu().run(50);
    state().in_smm = false;
    apply();
  }
  EXPECT_GT(returned, 500u);
}

}  // namespace
}  // namespace reprise::test
