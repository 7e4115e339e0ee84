// Segment register loads and the instructions on descriptors. SDM 3A chapters 3 and 5; SDM 2.
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

using Segments = SystemFixture;

struct LoadCase {
  const char* what;
  u8 cpl;
  u16 selector;
  int vector;  // -1: loads
  u32 error;
};

TEST_F(Segments, MovDs) {
  const LoadCase cases[] = {
      {"data of its level", 0, kData0, -1, 0},
      {"null", 0, 0, -1, 0},
      {"null with RPL", 3, 3, -1, 0},
      {"user data at level 0", 0, kDataUser, -1, 0},
      {"readable code", 0, kCode32, -1, 0},
      {"conforming code from below", 3, kConforming | 3, -1, 0},
      {"data of level 0 at level 3", 3, kData0, kGP, kData0},
      {"RPL weaker than DPL", 0, kData0 | 3, kGP, kData0},
      {"execute-only code", 0, kExecuteOnly, kGP, kExecuteOnly},
      {"read-only data", 0, kReadOnly, -1, 0},
      {"not present", 0, kDataAbsent, kNP, kDataAbsent},
      {"TSS", 0, kTssSelector, kGP, kTssSelector},
      {"beyond the GDT", 0, 0x100, kGP, 0x100},
      {"no LDT", 0, 0x0c, kGP, 0x0c},
  };
  for (const LoadCase& row : cases) {
    for (const bool is64 : {true, false}) {
      SCOPED_TRACE(row.what);
      is64 ? enter_64bit(row.cpl) : enter_32bit(row.cpl);
      reg(RAX) = row.selector;
      if (row.vector < 0) {
        expect_retires({0x8e, 0xd8});
        EXPECT_EQ(state().seg[DS].selector, row.selector);
        EXPECT_EQ(state().seg[DS].usable(), !is_null(row.selector));
        EXPECT_FALSE(state().mov_ss_shadow);
      } else {
        expect_fault({0x8e, 0xd8}, static_cast<Vector>(row.vector), row.error);
      }
    }
  }
}

TEST_F(Segments, MovSs) {
  struct Row {
    LoadCase load;
    int vector_32;  // where protected mode differs
  };
  const Row cases[] = {
      {{"data of its level", 0, kData0, -1, 0}, -1},
      {{"user data at level 3", 3, kDataUser, -1, 0}, -1},
      {{"null at level 0", 0, 0, -1, 0}, kGP},
      {{"null with another RPL", 0, 3, kGP, 0}, kGP},
      {{"null at level 3", 3, 3, kGP, 0}, kGP},
      {{"RPL differs", 0, kData0 | 3, kGP, kData0}, kGP},
      {{"DPL differs", 0, kDataUser, kGP, kDataUser & ~3u}, kGP},
      {{"read-only", 0, kReadOnly, kGP, kReadOnly}, kGP},
      {{"code", 0, kCode32, kGP, kCode32}, kGP},
      {{"not present", 0, kDataAbsent, kSS, kDataAbsent}, kSS},
  };
  for (const Row& row : cases) {
    for (const bool is64 : {true, false}) {
      SCOPED_TRACE(row.load.what);
      is64 ? enter_64bit(row.load.cpl) : enter_32bit(row.load.cpl);
      reg(RAX) = row.load.selector;
      const int vector = is64 ? row.load.vector : row.vector_32;
      if (vector < 0) {
        expect_retires({0x8e, 0xd0});
        EXPECT_EQ(state().seg[SS].selector, row.load.selector);
        EXPECT_TRUE(state().mov_ss_shadow);
      } else {
        expect_fault({0x8e, 0xd0}, static_cast<Vector>(vector), row.load.error);
      }
    }
  }
}

TEST_F(Segments, HiddenPart) {
  set_descriptor(kScratch, descriptor(0x12345678, 0xabcde, 0x92 | kFlagG | kFlagDb));
  reg(RAX) = kScratch;
  enter_32bit();
  reg(RAX) = kScratch;
  expect_retires({0x8e, 0xd8});
  EXPECT_EQ(state().seg[DS].base, 0x12345678u);
  EXPECT_EQ(state().seg[DS].limit, 0xabcdefffu);
  EXPECT_EQ(state().seg[DS].access, 0x93 | kFlagG | kFlagDb);
  EXPECT_EQ(get_descriptor(kScratch) >> 40 & 0xff, 0x93u);  // accessed, in memory too
  EXPECT_FALSE(cpu().mode.has(ModeKey::kFlatData));
}

TEST_F(Segments, LocalTable) {
  poke<u64>(kLdt + 8, descriptor(0x1000, 0xfffff, kAccessData));
  reg(RAX) = kLdtSelector;
  expect_retires({0x0f, 0x00, 0xd0});  // LLDT AX
  EXPECT_EQ(state().ldtr.base, kLdt);
  reg(RAX) = 0x0c;
  expect_retires({0x8e, 0xd8});
  EXPECT_EQ(state().seg[DS].base, 0x1000u);
  reg(RAX) = 0x1c;  // beyond the LDT limit
  expect_fault({0x8e, 0xd8}, kGP, 0x1c);
}

TEST_F(Segments, MovCsIsUndefined) { expect_fault({0x8e, 0xc8}, kUD); }

TEST_F(Segments, StoresZeroExtend) {
  state().seg[DS].selector = 0x1234;
  reg(RAX) = ~u64{0};
  expect_retires({0x8c, 0xd8});
  EXPECT_EQ(reg(RAX), 0x1234u);
  reg(RAX) = ~u64{0};
  expect_retires({0x66, 0x8c, 0xd8});
  EXPECT_EQ(reg(RAX), 0xffffffffffff1234u);
  poke<u64>(kData, ~u64{0});
  reg(RBX) = kData;
  expect_retires({0x8c, 0x1b});
  EXPECT_EQ(peek<u64>(kData), 0xffffffffffff1234u);
}

TEST_F(Segments, PushAndPop) {
  state().seg[FS].selector = 0x1234;
  poke<u64>(kStack - 8, ~u64{0});
  expect_retires({0x0f, 0xa0});  // PUSH FS
  EXPECT_EQ(peek<u64>(kStack - 8), 0x1234u);
  EXPECT_EQ(reg(RSP), kStack - 8);
  poke<u64>(kStack - 8, kData0);
  expect_retires({0x0f, 0xa9});  // POP GS
  EXPECT_EQ(state().seg[GS].selector, kData0);
  EXPECT_EQ(reg(RSP), kStack);

  enter_32bit();
  poke<u32>(kStack - 4, ~u32{0});
  expect_retires({0x1e});  // PUSH DS writes a word
  EXPECT_EQ(peek<u32>(kStack - 4), 0xffff0000 | kData0);
  poke<u32>(kStack - 4, kDataAbsent);
  expect_fault({0x1f}, kNP, kDataAbsent);
  poke<u32>(kStack - 4, kData16);
  expect_retires({0x17});  // POP SS
  EXPECT_TRUE(state().mov_ss_shadow);
  EXPECT_EQ(reg(RSP), kStack);
}

TEST_F(Segments, RealModeKeepsTheLimit) {
  enter_real();
  state().seg[DS].limit = 0xffffffff;  // "unreal" mode
  reg(RAX) = 0x1234;
  code({0x8e, 0xd8}, 0x8000);
  vcpu().run(1);
  EXPECT_EQ(state().seg[DS].base, 0x12340u);
  EXPECT_EQ(state().seg[DS].limit, 0xffffffffu);
}

TEST_F(Segments, FarPointers) {
  reg(RBX) = kData;
  poke<u32>(kData, 0x11223344);
  poke<u16>(kData + 4, kData0);
  expect_retires({0x0f, 0xb4, 0x03});  // LFS EAX
  EXPECT_EQ(reg(RAX), 0x11223344u);
  EXPECT_EQ(state().seg[FS].selector, kData0);
  poke<u16>(kData + 4, kDataAbsent);
  reg(RAX) = 0;
  expect_fault({0x0f, 0xb4, 0x03}, kNP, kDataAbsent);
  poke<u16>(kData + 4, kData0);
  expect_retires({0x0f, 0xb2, 0x03});  // LSS has no shadow
  EXPECT_FALSE(state().mov_ss_shadow);
}

// --- LLDT, LTR, LGDT ... ---

TEST_F(Segments, Ltr) {
  set_descriptor(kTssSelector, descriptor(0xdeadb000, 0x67, 0x89));
  set_descriptor(kTssSelector + 8, 0xffff8000);
  reg(RAX) = kTssSelector;
  expect_retires({0x0f, 0x00, 0xd8});
  EXPECT_EQ(state().tr.base, 0xffff8000deadb000);
  EXPECT_EQ(get_descriptor(kTssSelector) >> 40 & 0xff, 0x8bu);
  expect_fault({0x0f, 0x00, 0xd8}, kGP, kTssSelector);  // busy now
  struct Row {
    u16 selector;
    Vector vector;
    u32 error;
  };
  for (const Row& row : {Row{0, kGP, 0}, Row{kData0, kGP, kData0}, Row{0x44, kGP, 0x44},
                         Row{kLastSelector, kGP, kLastSelector}}) {
    reg(RAX) = row.selector;
    expect_fault({0x0f, 0x00, 0xd8}, row.vector, row.error);
  }
  set_descriptor(kTssSelector, descriptor(0, 0x67, 0x09));
  reg(RAX) = kTssSelector;
  expect_fault({0x0f, 0x00, 0xd8}, kNP, kTssSelector);
  set_descriptor(kTssSelector, descriptor(0, 0x67, 0x89));
  set_descriptor(kTssSelector + 8, 0x8000);
  expect_fault({0x0f, 0x00, 0xd8}, kGP, kTssSelector);  // non-canonical base
}

TEST_F(Segments, Lldt) {
  reg(RAX) = 0;
  expect_retires({0x0f, 0x00, 0xd0});
  EXPECT_FALSE(state().ldtr.usable());
  reg(RAX) = kTssSelector;
  expect_fault({0x0f, 0x00, 0xd0}, kGP, kTssSelector);
  enter_64bit(3);
  expect_fault({0x0f, 0x00, 0xd0}, kGP, 0);
  enter_real();
  code({0x0f, 0x00, 0xd0}, 0x8000);
  vcpu().run(1);
  EXPECT_EQ(state().seg[CS].selector, 0x9000);  // #UD
}

TEST_F(Segments, TableRegisters) {
  reg(RBX) = kData;
  poke<u16>(kData, 0x1234);
  poke<u64>(kData + 2, 0xffff800012345678);
  expect_retires({0x0f, 0x01, 0x13});  // LGDT
  EXPECT_EQ(state().gdtr.base, 0xffff800012345678);
  EXPECT_EQ(state().gdtr.limit, 0x1234);
  expect_retires({0x0f, 0x01, 0x43, 0x10});  // SGDT [RBX+16]
  EXPECT_EQ(peek<u16>(kData + 16), 0x1234);
  EXPECT_EQ(peek<u64>(kData + 18), 0xffff800012345678);
  poke<u64>(kData + 2, u64{1} << 47);
  expect_fault({0x0f, 0x01, 0x1b}, kGP, 0);  // LIDT, non-canonical
  enter_64bit(3);
  expect_fault({0x0f, 0x01, 0x13}, kGP, 0);

  enter_32bit();
  reg(RBX) = kData;
  poke<u64>(kData + 2, 0xaabbccdd);
  expect_retires({0x66, 0x0f, 0x01, 0x1b});  // 16-bit LIDT: 24 bits of base
  EXPECT_EQ(state().idtr.base, 0xbbccddu);
  expect_retires({0x0f, 0x01, 0x1b});
  EXPECT_EQ(state().idtr.base, 0xaabbccddu);
}

TEST_F(Segments, UserModeInstructionPrevention) {
  const std::initializer_list<u8> insns[] = {
      {0x0f, 0x00, 0xc0}, {0x0f, 0x00, 0xc8}, {0x0f, 0x01, 0x03}, {0x0f, 0x01, 0x0b}, {0x0f, 0x01, 0xe0}};
  for (const auto& insn : insns) {  // SLDT STR SGDT SIDT SMSW
    enter_64bit(3);
    reg(RBX) = kData;
    expect_retires(insn);
    state().cr4 |= mmu::kCr4Umip;
    apply();
    expect_fault(insn, kGP, 0);
    enter_64bit();
    state().cr4 |= mmu::kCr4Umip;
    apply();
    reg(RBX) = kData;
    expect_retires(insn);
  }
}

// --- LAR, LSL, VERR, VERW, ARPL ---

TEST_F(Segments, AccessRightsAndLimits) {
  struct Row {
    const char* what;
    u8 cpl;
    u16 selector;
    bool lar, lsl, verr, verw;
  };
  const Row rows[] = {
      {"null", 0, 0, false, false, false, false},
      {"data", 0, kData0, true, true, true, true},
      {"read-only data", 0, kReadOnly, true, true, true, false},
      {"code", 0, kCode32, true, true, true, false},
      {"execute-only", 0, kExecuteOnly, true, true, false, false},
      {"not present", 0, kDataAbsent, true, true, true, true},
      {"more privileged", 3, kData0, false, false, false, false},
      {"conforming", 3, kConforming, true, true, true, false},
      {"weak RPL", 0, kData0 | 3, false, false, false, false},
      {"TSS", 0, kTssSelector, true, true, false, false},
      {"LDT", 0, kLdtSelector, true, true, false, false},
      {"beyond the GDT", 0, 0x100, false, false, false, false},
      {"empty descriptor", 0, kLastSelector, false, false, false, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    enter_64bit(row.cpl);
    const auto zf = [&](std::initializer_list<u8> insn) {
      reg(RCX) = row.selector;
      reg(RAX) = 0x5555;
      expect_retires(insn);
      return (state().rflags & kRflagsZf) != 0;
    };
    EXPECT_EQ(zf({0x0f, 0x02, 0xc1}), row.lar);
    EXPECT_EQ(reg(RAX), row.lar ? get_descriptor(row.selector) >> 32 & 0xffff00 : 0x5555);
    EXPECT_EQ(zf({0x0f, 0x03, 0xc1}), row.lsl);
    EXPECT_EQ(reg(RAX), row.lsl ? Descriptor{.low = get_descriptor(row.selector)}.limit() : 0x5555);
    EXPECT_EQ(zf({0x0f, 0x00, 0xe1}), row.verr);
    EXPECT_EQ(zf({0x0f, 0x00, 0xe9}), row.verw);
  }
}

TEST_F(Segments, GatesAreForLarOnly) {
  enter_32bit();
  set_descriptor(kGate, gate_low(kCode32, 0x1234, 0x8c));
  reg(RCX) = kGate;
  expect_retires({0x0f, 0x02, 0xc1});
  EXPECT_TRUE(state().rflags & kRflagsZf);
  expect_retires({0x0f, 0x03, 0xc1});
  EXPECT_FALSE(state().rflags & kRflagsZf);
}

TEST_F(Segments, Arpl) {
  enter_32bit();
  reg(RAX) = 0x1230;
  reg(RCX) = 0x3;
  expect_retires({0x63, 0xc8});  // ARPL AX, CX
  EXPECT_EQ(reg(RAX), 0x1233u);
  EXPECT_TRUE(state().rflags & kRflagsZf);
  reg(RCX) = 1;
  expect_retires({0x63, 0xc8});
  EXPECT_EQ(reg(RAX), 0x1233u);
  EXPECT_FALSE(state().rflags & kRflagsZf);
}

// ARPL writes when the RPL changes, and only then.
TEST_F(Segments, ArplInMemory) {
  enter_32bit();
  reg(RBX) = kData;
  reg(RCX) = 1;
  poke<u16>(kData, 0x1232);
  state().seg[DS].access &= static_cast<u16>(~Segment::kWritable);
  apply();
  expect_retires({0x63, 0x0b});  // ARPL [EBX], CX
  EXPECT_FALSE(state().rflags & kRflagsZf);
  reg(RCX) = 3;
  expect_fault({0x63, 0x0b}, kGP, 0);
  state().seg[DS].access |= Segment::kWritable;
  apply();
  expect_retires({0x63, 0x0b});
  EXPECT_EQ(peek<u16>(kData), 0x1233u);
  EXPECT_TRUE(state().rflags & kRflagsZf);
}

TEST_F(Segments, ArplAndPages) {
  enter_compat(0);
  reg(RBX) = kData;
  reg(RCX) = 1;
  poke<u16>(kData, 0x1232);
  state().cr0 |= mmu::kCr0Wp;
  apply();
  map(kData, kData, mmu::kPteP);
  expect_retires({0x63, 0x0b});
  EXPECT_FALSE(peek<u64>(kPageTables + (kData >> kPageShift) * 8) & mmu::kPteD);
  reg(RCX) = 3;
  expect_fault({0x63, 0x0b}, kPF, 3);  // a write to a page that is there
  unmap(kData);
  expect_fault({0x63, 0x0b}, kPF, 0);  // a read
}

// --- Operands of two parts ---

/// In 8086 programs the second part of an operand at FFFEH is at 0; a part across the end faults.
TEST_F(Segments, PartsWrapAsTheAddressSizeSays) {
  const auto run = [&](std::initializer_list<u8> insn, u16 at) {
    enter_real();
    state().seg[DS].base = kData;
    apply();
    reg(RBX) = at;
    reg(RAX) = 0;
    poke<u16>(kData + 0xfffe, 0);
    poke<u16>(kData, 0x10);
    code(insn, 0x8000);
    vcpu().run(1);
    return state().seg[CS].selector == 0;
  };
  for (const u16 at : {u16{0xfffc}, u16{0xfffd}, u16{0xfffe}, u16{0xffff}}) {
    SCOPED_TRACE(at);
    const bool fine = (at & 1) == 0;
    EXPECT_EQ(run({0x62, 0x07}, at), fine);  // BOUND AX, [BX]
    EXPECT_EQ(run({0xc4, 0x07}, at), fine);  // LES AX, [BX]
    if (fine && at == 0xfffe) {
      EXPECT_EQ(state().seg[ES].selector, 0x10);
    }
  }
}

/// At level 3 the limit must be aligned as a word and the base as what it is. SDM 3A 3.5.1
TEST_F(Segments, PseudoDescriptorsAreStoredInParts) {
  enter_64bit(3);
  state().cr0 |= mmu::kCr0Am;
  state().rflags |= kRflagsAc;
  apply();
  for (const u64 offset : {u64{0}, u64{2}, u64{4}, u64{6}, u64{5}}) {
    SCOPED_TRACE(offset);
    reg(RBX) = kData + offset;
    offset == 6 ? expect_retires({0x0f, 0x01, 0x03}) : expect_fault({0x0f, 0x01, 0x03}, kAC, 0);  // SGDT
  }
  // All or nothing.
  enter_64bit();
  poke<u16>(kData + 0xffe, 0x5555);
  reg(RBX) = kData + 0xffe;
  unmap(kData + 0x1000);
  expect_fault({0x0f, 0x01, 0x03}, kPF, 2);
  EXPECT_EQ(cpu().fault.linear, kData + 0x1000);
  EXPECT_EQ(peek<u16>(kData + 0xffe), 0x5555);
}

// --- FS and GS bases ---

TEST_F(Segments, SegmentBases) {
  reg(RAX) = 0xffff812345678000;
  expect_retires({0xf3, 0x48, 0x0f, 0xae, 0xd8});  // WRGSBASE RAX
  EXPECT_EQ(state().seg[GS].base, 0xffff812345678000);
  state().kernel_gs_base = 0x42;
  expect_retires({0x0f, 0x01, 0xf8});  // SWAPGS
  EXPECT_EQ(state().seg[GS].base, 0x42u);
  EXPECT_EQ(state().kernel_gs_base, 0xffff812345678000);
  expect_retires({0xf3, 0x48, 0x0f, 0xae, 0xcb});  // RDGSBASE RBX
  EXPECT_EQ(reg(RBX), 0x42u);
  reg(RAX) = u64{1} << 50;
  expect_fault({0xf3, 0x48, 0x0f, 0xae, 0xd0}, kGP, 0);  // WRFSBASE RAX
  state().cr4 &= ~mmu::kCr4Fsgsbase;
  apply();
  expect_fault({0xf3, 0x48, 0x0f, 0xae, 0xc0}, kUD);
  enter_64bit(3);
  expect_fault({0x0f, 0x01, 0xf8}, kGP, 0);
}

}  // namespace
}  // namespace reprise::test
