// Control registers, EFER, XCR0, debug registers, MSRs, CPUID and the flags with privilege. SDM 3A 2.5, SDM 4.
#include "cpu/profile/cpu_model.h"
#include "cpu/system/control_regs.h"
#include "cpu/system/debug_regs.h"
#include "cpu/system/msr.h"
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;
using namespace mmu;

class Control : public SystemFixture {
 public:
  static constexpr std::initializer_list<u8> kToCr0 = {0x0f, 0x22, 0xc0}, kToCr3 = {0x0f, 0x22, 0xd8},
                                             kToCr4 = {0x0f, 0x22, 0xe0}, kToCr8 = {0x44, 0x0f, 0x22, 0xc0},
                                             kRdmsr = {0x0f, 0x32}, kWrmsr = {0x0f, 0x30};
  void msr_operands(u32 number, u64 value) {
    reg(RCX) = number;
    reg(RAX) = static_cast<u32>(value);
    reg(RDX) = value >> 32;
  }
};

TEST_F(Control, Cr0GeneralProtection) {
  const u64 good = state().cr0;
  struct Row {
    const char* what;
    u64 value;
  };
  const Row rows[] = {
      {"upper half", good | u64{1} << 32},
      {"PG without PE", good & ~kCr0Pe},
      {"NW without CD", good | kCr0Nw},
      {"paging off in 64-bit mode", good & ~kCr0Pg},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    reg(RAX) = row.value;
    expect_fault(kToCr0, kGP, 0);
    EXPECT_EQ(state().cr0, good);
  }
  reg(RAX) = (good | kCr0Ts | 0x1ffc0) & ~kCr0Et;  // reserved bits are ignored, ET is fixed
  expect_retires(kToCr0);
  EXPECT_EQ(state().cr0, good | kCr0Ts);
  EXPECT_TRUE(cpu().mode.has(ModeKey::kTs));
}

TEST_F(Control, EnteringAndLeavingLongMode) {
  enter_32bit();
  state().cr4 = kCr4Pae;
  state().efer = kEferLme;
  state().cr3 = kPml4;
  apply();
  state().cr4 = 0;
  reg(RAX) = state().cr0 | kCr0Pg;
  expect_fault(kToCr0, kGP, 0);  // no PAE
  state().cr4 = kCr4Pae;
  state().seg[CS].access |= Segment::kLong;
  cpu().sync_mode();
  expect_fault(kToCr0, kGP, 0);  // CS.L
  state().seg[CS].access &= static_cast<u16>(~Segment::kLong);
  apply();
  expect_retires(kToCr0);
  EXPECT_TRUE(state().efer & kEferLma);
  EXPECT_TRUE(cpu().mode.has(ModeKey::kLongMode));
  EXPECT_FALSE(cpu().mode.is64());
  reg(RAX) = state().cr0 & ~kCr0Pg;
  expect_retires(kToCr0);
  EXPECT_FALSE(state().efer & kEferLma);
}

TEST_F(Control, Cr4GeneralProtection) {
  const u64 good = state().cr4;
  for (const unsigned reserved : {0u, 1u, 12u, 13u, 14u, 15u, 19u, 22u, 23u, 24u, 31u, 32u, 63u}) {
    reg(RAX) = good | u64{1} << reserved;
    expect_fault(kToCr4, kGP, 0);
  }
  reg(RAX) = good & ~kCr4Pae;
  expect_fault(kToCr4, kGP, 0);
  state().cr3 = kPml4 | 1;
  reg(RAX) = good | kCr4Pcide;
  expect_fault(kToCr4, kGP, 0);  // PCID bits in CR3
  state().cr3 = kPml4;
  expect_retires(kToCr4);
  reg(RAX) = good | kCr4Smep | kCr4Smap | kCr4Pge | kCr4Umip | kCr4Mce | kCr4Tsd | kCr4Osxmmexcpt;
  expect_retires(kToCr4);
  EXPECT_EQ(state().cr4, reg(RAX));
  enter_32bit();
  reg(RAX) = kCr4Pcide;
  expect_fault(kToCr4, kGP, 0);  // outside long mode
}

TEST_F(Control, Cr3) {
  reg(RAX) = kPml4 | u64{1} << 46;
  expect_fault(kToCr3, kGP, 0);
  reg(RAX) = kPml4 | u64{1} << 63;
  expect_fault(kToCr3, kGP, 0);  // without PCIDE
  state().cr4 |= kCr4Pcide;
  apply();
  reg(RAX) = kPml4 | u64{1} << 63 | 5;
  expect_retires(kToCr3);
  EXPECT_EQ(state().cr3, kPml4 | 5);
}

TEST_F(Control, PaeDirectoryPointersAreChecked) {
  enter_32bit();
  state().cr4 = kCr4Pae;
  apply();
  for (unsigned i = 0; i < 4; ++i) poke<u64>(kData + 8 * i, 0);
  poke<u64>(kData + 8, kPageDirectory | 3);  // bit 1 is reserved
  state().cr3 = kData;
  reg(RAX) = state().cr0 | kCr0Pg;
  expect_fault(kToCr0, kGP, 0);
  poke<u64>(kData, kPageDirectory | 1);
  poke<u64>(kData + 8, kPageDirectory | 1);
  expect_retires(kToCr0);
  poke<u64>(kData + 8, kPageDirectory | u64{1} << 46 | 1);
  reg(RAX) = kData;
  expect_fault(kToCr3, kGP, 0);
}

TEST_F(Control, Cr8IsTheTaskPriority) {
  reg(RAX) = 9;
  expect_retires(kToCr8);
  EXPECT_EQ(interrupts.tpr, 9);
  expect_retires({0x44, 0x0f, 0x20, 0xc3});
  EXPECT_EQ(reg(RBX), 9u);
  reg(RAX) = 16;
  expect_fault(kToCr8, kGP, 0);
}

TEST_F(Control, Level3MayNot) {
  enter_64bit(3);
  // clang-format off
  const std::initializer_list<u8> privileged[] = {
      kToCr0, {0x0f, 0x20, 0xc0}, kToCr8, {0x0f, 0x21, 0xc0}, {0x0f, 0x23, 0xc0}, kRdmsr, kWrmsr, {0xf4},
      {0x0f, 0x06},
      {0x0f, 0x01, 0xf0}, {0x0f, 0x01, 0x38}, {0x0f, 0x08}, {0x0f, 0x09}, {0xfa}, {0xfb}, {0x0f, 0x01, 0xd1},
      {0x66, 0x0f, 0x38, 0x82, 0x03}, {0x0f, 0x33}};
  // clang-format on
  for (const auto& insn : privileged) expect_fault(insn, kGP, 0);
  expect_fault({0x0f, 0x01, 0xca}, kUD);  // CLAC
}

TEST_F(Control, LmswSetsButDoesNotClearPe) {
  enter_32bit();
  reg(RAX) = 0xe;
  expect_retires({0x0f, 0x01, 0xf0});
  EXPECT_EQ(state().cr0 & 0xf, 0xfu);
  expect_retires({0x0f, 0x06});  // CLTS
  EXPECT_EQ(state().cr0 & 0xf, 0x7u);
  reg(RCX) = 0;
  expect_retires({0x0f, 0x01, 0xe1});  // SMSW ECX
  EXPECT_EQ(reg(RCX), state().cr0);
}

TEST_F(Control, Invpcid) {
  reg(RBX) = kData;
  poke<u64>(kData + 8, u64{1} << 47);
  struct Row {
    u64 type, pcid;
    bool pcide, fine;
  };
  for (const Row& row : {Row{0, 0, false, false}, Row{1, 0, false, true}, Row{1, 1, false, false},
                         Row{1, 1, true, true}, Row{2, 0, false, true}, Row{3, 0, false, true},
                         Row{4, 0, false, false}, Row{2, 0x1000, true, false}}) {
    state().cr4 = row.pcide ? state().cr4 | kCr4Pcide : state().cr4 & ~kCr4Pcide;
    apply();
    reg(RAX) = row.type;
    poke<u64>(kData, row.pcid);
    row.fine ? expect_retires({0x66, 0x0f, 0x38, 0x82, 0x03})
             : expect_fault({0x66, 0x0f, 0x38, 0x82, 0x03}, kGP, 0);
  }
}

TEST_F(Control, Invlpg) {
  expect_retires({0x8a, 0x03});  // MOV AL, [RBX]: translation in the TLB
  reg(RBX) = kData;
  expect_retires({0x8a, 0x03});
  poke<u64>(kPageTables + (kData >> kPageShift) * 8, 0);
  expect_retires({0x8a, 0x03});
  expect_retires({0x0f, 0x01, 0x3b});
  expect_fault({0x8a, 0x03}, kPF, 0);
  reg(RBX) = u64{1} << 47;
  expect_retires({0x0f, 0x01, 0x3b});  // non-canonical: nothing
}

// --- XCR0 ---

TEST_F(Control, Xsetbv) {
  struct Row {
    u64 index, value;
    bool fine;
  };
  for (const Row& row : {Row{0, 7, true}, Row{0, 3, true}, Row{0, 1, true}, Row{0, 2, false},
                         Row{0, 5, false}, Row{0, 15, false}, Row{0, 0, false}, Row{1, 3, false}}) {
    msr_operands(static_cast<u32>(row.index), row.value);
    row.fine ? expect_retires({0x0f, 0x01, 0xd1}) : expect_fault({0x0f, 0x01, 0xd1}, kGP, 0);
  }
  reg(RCX) = 0;
  expect_retires({0x0f, 0x01, 0xd0});
  EXPECT_EQ(reg(RAX), 1u);
  reg(RCX) = 1;
  expect_retires({0x0f, 0x01, 0xd0});  // of them, those in use
  EXPECT_EQ(reg(RAX), 1u);
  reg(RCX) = 2;
  expect_fault({0x0f, 0x01, 0xd0}, kGP, 0);
  state().cr4 &= ~kCr4Osxsave;
  apply();
  expect_fault({0x0f, 0x01, 0xd0}, kUD);
}

// --- Debug registers ---

TEST_F(Control, DebugRegisters) {
  reg(RAX) = 0xffffffff;
  expect_retires({0x0f, 0x23, 0xf0});
  EXPECT_EQ(state().dr6, 0xffffeff0u | 0xf);
  reg(RAX) = 0;
  expect_retires({0x0f, 0x23, 0xf0});
  EXPECT_EQ(state().dr6, 0xffff0ff0u);
  reg(RAX) = 0xffffdfff;
  expect_retires({0x0f, 0x23, 0xf8});
  EXPECT_EQ(state().dr7, 0xffff07ffu);
  reg(RAX) = u64{1} << 32;
  expect_fault({0x0f, 0x23, 0xf8}, kGP, 0);
  expect_retires({0x0f, 0x23, 0xc0});
  EXPECT_EQ(state().dr[0], u64{1} << 32);
}

TEST_F(Control, Dr4AliasesUnlessDe) {
  state().dr6 = 0xffff0ff1;
  expect_retires({0x0f, 0x21, 0xe0});  // MOV RAX, DR4
  EXPECT_EQ(reg(RAX), 0xffff0ff1u);
  state().cr4 |= kCr4De;
  apply();
  expect_fault({0x0f, 0x21, 0xe0}, kUD);
}

TEST_F(Control, GeneralDetect) {
  state().dr7 |= kDr7Gd;
  expect_fault({0x0f, 0x21, 0xc0}, kDB);
  EXPECT_EQ(cpu().fault.dr6, kDr6Bd);
}

// --- MSRs ---

TEST_F(Control, MsrValues) {
  struct Row {
    u32 msr;
    u64 value;
    bool fine;
  };
  constexpr u64 kHole = u64{1} << 47;
  const Row rows[] = {
      {0xc0000080, kEferSce | kEferLme | kEferLma | kEferNxe, true},
      {0xc0000080, kEferLma | kEferNxe, false},  // LME while paging
      {0xc0000080, kEferLme | 2, false},
      {0xc0000080, kEferLme | 1u << 12, false},  // SVM
      {0xc0000082, 0xffffffff81000000, true},
      {0xc0000082, kHole, false},
      {0xc0000083, kHole, false},
      {0xc0000084, u64{1} << 32, false},
      {0xc0000100, 0x7fffffffffff, true},
      {0xc0000100, kHole, false},
      {0xc0000101, kHole, false},
      {0xc0000102, kHole, false},
      {0xc0000103, u64{1} << 32, false},
      {0x174, 0xffffffff, true},
      {0x176, kHole, false},
      {0x277, 0x0007040600070406, true},
      {0x277, 0x0207040600070406, false},
      {0x2ff, 0xc06, true},
      {0x2ff, 0xc02, false},
      {0x2ff, 0x1000, false},
      {0x200, 0x6, true},
      {0x201, 0xffc0000800, true},
      {0x201, 0x400000000800, false},
      {0x268, 0x0606060606060606, true},
      {0x268, 0x0606060606060602, false},
      {0x48, 7, true},
      {0x48, 8, false},
      {0x49, 1, true},
      {0x49, 2, false},
      {0x3a, 1, false},
      {0xfe, 0, false},
      {0x10a, 0, false},
      {0x1a0, 0x1801, true},
      {0x1a0, 0x85'1801 | u64{1} << 34, true},  // all that is architectural, but for CPUID's limit
      {0xc0000080, kEferSce | kEferLme | kEferLma | kEferNxe, false},  // XD is off now
      {0x1a0, 0x1801, true},
      {0xc0000080, kEferSce | kEferLme | kEferLma | kEferNxe, true},
      {0x1a0, 1u << 1, false},
      {0x1a0, u64{1} << 38, false},
      {0xc0010000, 0, false},  // of AMD
      {0x8b, 0, true},
      {0x122, 0, false},
      {0xda0, 0, true},
      {0xda0, 1u << 11, false},
      {0x12345678, 0, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.msr);
    msr_operands(row.msr, row.value);
    row.fine ? expect_retires(kWrmsr) : expect_fault(kWrmsr, kGP, 0);
  }
}

TEST_F(Control, MsrReadsBack) {
  for (const u32 msr : {0x10u,  0x1bu,  0x3au,  0x3bu,  0x48u,  0x8bu,  0xceu,       0xfeu,
                        0x10au, 0x174u, 0x179u, 0x17au, 0x1a0u, 0x1d9u, 0x200u,      0x20fu,
                        0x250u, 0x259u, 0x26fu, 0x277u, 0x2ffu, 0x6e0u, 0xc0000080u, 0xc0000103u}) {
    reg(RCX) = msr;
    expect_retires(kRdmsr);
    EXPECT_NE(msr_name(msr), "?");
  }
  for (const u32 msr : {0x49u, 0x10bu, 0x79u, 0x122u, 0x198u, 0xe7u, 0x18au, 0x210u, 0xc0010015u}) {
    reg(RCX) = msr;
    expect_fault(kRdmsr, kGP, 0);
  }
  msr_operands(0xc0000101, 0xffff888000000000);
  expect_retires(kWrmsr);
  EXPECT_EQ(state().seg[GS].base, 0xffff888000000000);
  expect_retires(kRdmsr);
  EXPECT_EQ(reg(RDX), 0xffff8880u);
}

TEST_F(Control, TimeStampCounter) {
  state().retired = 1000;
  expect_retires({0x0f, 0x31});
  EXPECT_EQ(reg(RAX), 1000u);
  msr_operands(0x10, 5000);
  expect_retires(kWrmsr);  // at 1001
  EXPECT_EQ(state().tsc_adjust, 3999u);
  expect_retires({0x0f, 0x01, 0xf9});  // RDTSCP at 1002
  EXPECT_EQ(reg(RAX), 5001u);
  msr_operands(0x3b, 0);
  expect_retires(kWrmsr);
  expect_retires({0x0f, 0x31});
  EXPECT_EQ(reg(RAX), 1004u);
  enter_64bit(3);
  state().cr4 |= kCr4Tsd;
  apply();
  expect_fault({0x0f, 0x31}, kGP, 0);
  expect_fault({0x0f, 0x01, 0xf9}, kGP, 0);
}

TEST_F(Control, TimeInsideABlockIsExact) {
  state().retired = 0;
  run({0x90, 0x90, 0x0f, 0x31}, 3);
  EXPECT_EQ(reg(RAX), 2u);
}

TEST_F(Control, DeadlineFollowsTheGuestsTsc) {
  state().retired = 100;
  state().tsc_offset = 1000;
  msr_operands(0x6e0, 1500);
  expect_retires(kWrmsr);
  EXPECT_EQ(bus.deadline_ns, 500u);
  expect_retires(kRdmsr);
  EXPECT_EQ(reg(RAX), 1500u);
  msr_operands(0x6e0, 5);  // passed already
  expect_retires(kWrmsr);
  EXPECT_EQ(bus.deadline_ns, 102u);
  msr_operands(0x6e0, 0);
  expect_retires(kWrmsr);
  EXPECT_EQ(bus.deadline_ns, 0u);
}

// --- CPUID ---

TEST_F(Control, CpuidLeaves) {
  const auto leaf = [&](u32 number, u32 subleaf = 0) {
    return cpu::cpuid(default_profile(), state(), {}, number, subleaf);
  };
  EXPECT_EQ(leaf(0).ebx, 0x756e6547u);
  EXPECT_EQ(leaf(0).ecx, 0x6c65746eu);
  EXPECT_EQ(leaf(1).eax >> 8 & 0xf, 6u);
  EXPECT_TRUE(leaf(1).ecx >> 27 & 1);  // OSXSAVE follows CR4
  state().cr4 &= ~kCr4Osxsave;
  EXPECT_FALSE(leaf(1).ecx >> 27 & 1);
  EXPECT_EQ(leaf(1).ecx >> 28 & 1, 1u);  // AVX
  EXPECT_EQ(leaf(0xd).eax, 7u);
  EXPECT_EQ(leaf(0xd).ecx, 832u);
  EXPECT_EQ(leaf(0xd, 2).eax, 256u);
  EXPECT_EQ(leaf(0xd, 2).ebx, 576u);
  EXPECT_EQ(leaf(0xd).ebx, 576u);
  EXPECT_EQ(leaf(0xd, 1).eax, 0xfu);
  EXPECT_EQ(leaf(0xd, 1).ebx, 576u);
  EXPECT_EQ(leaf(0xd, 1).ecx, 0u);
  EXPECT_EQ(leaf(0xd, 3).eax, 0u);
  EXPECT_EQ(leaf(0x15).ecx, 1'000'000'000u);
  EXPECT_EQ(leaf(0x80000001).edx >> 11 & 1, 1u);
  EXPECT_EQ(leaf(0x80000008).eax, 40u | 48u << 8);
  EXPECT_EQ(leaf(0x12345).eax, leaf(leaf(0).eax).eax);  // beyond the range: the highest basic leaf
  EXPECT_EQ(leaf(0x40000100).eax, 0u);
  enter_compat(0);
  EXPECT_EQ(leaf(0x80000001).edx >> 11 & 1, 0u);
}

// What is off is not there.
TEST_F(Control, CpuidFollowsMiscEnableAndTheApic) {
  const auto leaf = [&](u32 number) {
    reg(RAX) = number;
    reg(RCX) = 0;
    expect_retires({0x0f, 0xa2});
    return cpu::CpuidResult{static_cast<u32>(reg(RAX)), static_cast<u32>(reg(RBX)),
                            static_cast<u32>(reg(RCX)), static_cast<u32>(reg(RDX))};
  };
  EXPECT_TRUE(leaf(1).edx & 1u << 9);
  bus.apic_base &= ~u64{0x800};
  EXPECT_FALSE(leaf(1).edx & 1u << 9);
  bus.apic_base |= 0x800;
  EXPECT_TRUE(leaf(1).edx & 1u << 9);

  EXPECT_EQ(leaf(0).eax, 0x1fu);
  EXPECT_TRUE(leaf(0x80000001).edx & 1u << 20);
  msr_operands(0x1a0, 1u << 22 | u64{1} << 34);
  expect_retires(kWrmsr);
  EXPECT_EQ(leaf(0).eax, 2u);
  EXPECT_EQ(leaf(7).eax, 2u);  // still there
  EXPECT_FALSE(leaf(0x80000001).edx & 1u << 20);
  EXPECT_FALSE(state().efer & kEferNxe);
}

// Bases are as wide as the processor's addresses, whatever paging does.
class WideBases : public SystemFixture {
 protected:
  static const CpuProfile& wide_profile() {
    static const CpuProfile profile = parse_cpu_model("max").take();
    return profile;
  }
  WideBases() : SystemFixture(wide_profile()) {}
  static constexpr u64 kWide = u64{1} << 55, kHole = u64{1} << 56;
};

TEST_F(WideBases, MsrsAndTableRegisters) {
  ASSERT_FALSE(state().cr4 & kCr4La57);
  for (const u32 msr : {0x175u, 0x176u, 0xc0000082u, 0xc0000083u, 0xc0000100u, 0xc0000101u, 0xc0000102u}) {
    SCOPED_TRACE(msr);
    for (const u64 value : {kWide, kHole}) {
      reg(RCX) = msr;
      reg(RAX) = static_cast<u32>(value);
      reg(RDX) = value >> 32;
      value == kWide ? expect_retires({0x0f, 0x30}) : expect_fault({0x0f, 0x30}, kGP, 0);
    }
  }
  reg(RBX) = kData;
  for (const u64 value : {kWide, kHole}) {
    poke<u64>(kData + 2, value);
    const bool fine = value == kWide;
    fine ? expect_retires({0x0f, 0x01, 0x1b}) : expect_fault({0x0f, 0x01, 0x1b}, kGP, 0);  // LIDT
    set_descriptor(kTssSelector, descriptor(0, 0x67, 0x89));
    set_descriptor(kTssSelector + 8, value >> 32);
    reg(RAX) = kTssSelector;
    fine ? expect_retires({0x0f, 0x00, 0xd8}) : expect_fault({0x0f, 0x00, 0xd8}, kGP, kTssSelector);  // LTR
    set_descriptor(kLdtSelector, descriptor(0, 0x67, 0x82));
    set_descriptor(kLdtSelector + 8, value >> 32);
    reg(RAX) = kLdtSelector;
    fine ? expect_retires({0x0f, 0x00, 0xd0}) : expect_fault({0x0f, 0x00, 0xd0}, kGP, kLdtSelector);  // LLDT
  }
}

TEST_F(WideBases, InstructionsOfTheProgramFollowPaging) {
  state().cr4 |= kCr4Fsgsbase;
  apply();
  reg(RAX) = kWide;
  expect_fault({0xf3, 0x48, 0x0f, 0xae, 0xd8}, kGP, 0);  // WRGSBASE
  expect_fault({0xf3, 0x48, 0x0f, 0xae, 0xd0}, kGP, 0);  // WRFSBASE
}

// Outside long mode too: the registers are as wide there.
TEST_F(Control, MsrBasesAreCanonicalInEveryMode) {
  enter_32bit();
  msr_operands(0xc0000082, u64{1} << 47);
  expect_fault(kWrmsr, kGP, 0);
  msr_operands(0xc0000082, 0xffff'8000'0000'0000);
  expect_retires(kWrmsr);
}

TEST_F(Control, CpuidClearsUpperHalves) {
  for (const Gpr number : {RAX, RBX, RCX, RDX}) reg(number) = 0xffffffff00000000;
  expect_retires({0x0f, 0xa2});
  for (const Gpr number : {RAX, RBX, RCX, RDX}) EXPECT_EQ(reg(number) >> 32, 0u);
}

TEST_F(Control, RandomNumbersComeFromTheSeed) {
  state().rng_state = 42;
  expect_retires({0x48, 0x0f, 0xc7, 0xf0});
  const u64 first = reg(RAX);
  EXPECT_EQ(state().rflags & kRflagsStatus, kRflagsCf);
  expect_retires({0x48, 0x0f, 0xc7, 0xf8});  // RDSEED goes on with the same stream
  EXPECT_NE(reg(RAX), first);
  state().rng_state = 42;
  expect_retires({0x48, 0x0f, 0xc7, 0xf0});
  EXPECT_EQ(reg(RAX), first);
}

// --- Flags ---

TEST_F(Control, Popf) {
  struct Row {
    u8 cpl;
    u64 iopl;
    u64 popped;
    u64 after;
  };
  constexpr u64 kAll = 0x3f7fd7, kBase = 2;
  const Row rows[] = {
      {0, 0, kAll, kAll & ~(u64{1} << 16 | u64{1} << 17 | kRflagsVif | kRflagsVip)},
      {3, 0, kAll,
       (kAll & ~(u64{1} << 16 | u64{1} << 17 | kRflagsVif | kRflagsVip | kRflagsIopl | kRflagsIf))},
      {3, 3, kAll, (kAll & ~(u64{1} << 16 | u64{1} << 17 | kRflagsVif | kRflagsVip))},
      {0, 0, 0, kBase},
  };
  for (const Row& row : rows) {
    enter_64bit(row.cpl);
    state().rflags = kBase | row.iopl << 12;
    cpu().sync_mode();
    reg(RSP) -= 8;
    poke<u64>(reg(RSP), row.popped);
    expect_retires({0x9d});
    EXPECT_EQ(state().rflags, row.after);
  }
}

TEST_F(Control, PushfHidesRfAndVm) {
  state().rflags = 0x10246;
  expect_retires({0x9c});
  EXPECT_EQ(peek<u64>(reg(RSP)), 0x246u);
  enter_v86(0);
  code({0x9c}, 0x11000);
  vcpu().run(2);  // #GP, HLT
  EXPECT_EQ(state().rip, handler(kGP) + 1);
}

TEST_F(Control, StacSwitchesTheView) {
  state().cr4 |= kCr4Smap;
  apply();
  reg(RBX) = kData;
  map(kCode, kCode, kPteP | kPteRw);
  expect_fault({0x8a, 0x03}, kPF, kPfP);
  expect_retires({0x0f, 0x01, 0xcb});
  expect_retires({0x8a, 0x03});
  expect_retires({0x0f, 0x01, 0xca});
  expect_fault({0x8a, 0x03}, kPF, kPfP);
}

TEST_F(Control, AbsentInstructions) {
  for (const auto& insn : {std::initializer_list<u8>{0x0f, 0xaa},
                           {0x0f, 0x01, 0xc8},
                           {0x0f, 0x01, 0xc9},
                           {0x0f, 0x01, 0xc1},
                           {0x0f, 0x37},
                           {0xc5, 0xf8, 0x77}})
    expect_fault(insn, kUD);  // RSM MONITOR MWAIT VMCALL GETSEC VZEROUPPER
}

}  // namespace
}  // namespace reprise::test
