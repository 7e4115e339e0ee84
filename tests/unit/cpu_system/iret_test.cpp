// IRET in every mode. SDM 2A IRET.
#include <array>

#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

class Iret : public SystemFixture {
 public:
  template <class T>
  void frame(std::initializer_list<T> values) {
    u64 at = reg(RSP);
    for (const T value : values) {
      poke<T>(at, value);
      at += sizeof(T);
    }
  }
  static constexpr std::initializer_list<u8> kIretq = {0x48, 0xcf}, kIretd = {0xcf};
};

TEST_F(Iret, Long_SameLevelStillPopsSsRsp) {
  reg(RSP) = kStack - 40;
  frame<u64>({0x12000, kCode64, 0x246, 0x1f008, kData0});
  expect_retires(kIretq);
  EXPECT_EQ(state().rip, 0x12000u);
  EXPECT_EQ(reg(RSP), 0x1f008u);
  EXPECT_EQ(state().rflags, 0x246u);
}

TEST_F(Iret, Long_ToUser) {
  reg(RSP) = kStack - 40;
  frame<u64>({0x12000, kCode64User, 0x202, kUserStack, kDataUser});
  expect_retires(kIretq);
  EXPECT_EQ(state().cpl, 3);
  EXPECT_EQ(cpu().mode.cpl(), 3u);
  EXPECT_EQ(state().seg[SS].selector, kDataUser);
  // Data segments of level 0 are taken away.
  EXPECT_FALSE(state().seg[DS].usable());
}

TEST_F(Iret, Long_ToUserClearsTheRplOfNullSelectors) {
  for (const bool outer : {true, false}) {
    enter_64bit();
    reg(RSP) = kStack - 40;
    state().seg[FS] = {.base = 0x1234, .limit = 0, .selector = 3, .access = Segment::kUnusable};
    if (outer) {
      frame<u64>({0x12000, kCode64User, 0x202, kUserStack, kDataUser});
    } else {
      frame<u64>({0x12000, kCode64, 0x202, kStack, kData0});
    }
    expect_retires(kIretq);
    EXPECT_EQ(state().seg[FS].selector, outer ? 0 : 3);
    EXPECT_EQ(state().seg[FS].base, 0x1234u);
  }
}

// FS and GS that may not be kept lose selector and rights, not the base that addresses are made with.
TEST_F(Iret, Long_ToUserKeepsTheBasesOfNulledSegments) {
  reg(RSP) = kStack - 40;
  state().seg[FS] = {.base = 0x12345000, .limit = 0xfffff, .selector = kData0, .access = 0xc093};
  state().seg[GS] = {.base = 0xffff8000'00001000, .limit = 0xfffff, .selector = kData0, .access = 0xc093};
  frame<u64>({0x12000, kCode64User, 0x202, kUserStack, kDataUser});
  expect_retires(kIretq);
  for (const SegmentIndex index : {FS, GS}) {
    EXPECT_EQ(state().seg[index].selector, 0);
    EXPECT_FALSE(state().seg[index].usable());
  }
  EXPECT_EQ(state().seg[FS].base, 0x12345000u);
  EXPECT_EQ(state().seg[GS].base, 0xffff8000'00001000u);
}

TEST_F(Iret, Long_ToCompatibilityMode) {
  reg(RSP) = kStack - 40;
  frame<u64>({0x12000, kCode32User, 0x202, 0xffffffff00000000 | kUserStack, kDataUser});
  expect_retires(kIretq);
  EXPECT_FALSE(cpu().mode.is64());
  EXPECT_EQ(reg(RSP), kUserStack);
}

TEST_F(Iret, Long_DwordFramesIn64BitMode) {
  reg(RSP) = kStack - 20;
  frame<u32>({0x12000, kCode64, 0x202, 0x1f008, kData0});
  expect_retires(kIretd);
  EXPECT_EQ(state().rip, 0x12000u);
  EXPECT_EQ(reg(RSP), 0x1f008u);
}

TEST_F(Iret, Long_NullStackSegment) {
  struct Row {
    u64 cs, ss;
    bool fine;
  };
  for (const Row& row :
       {Row{kCode64, 0, true}, Row{kCode32, 0, false}, Row{kCode64User, 3, false}, Row{kCode64, 1, false}}) {
    enter_64bit();
    reg(RSP) = kStack - 40;
    frame<u64>({0x12000, row.cs, 0x202, 0x1f008, row.ss});
    if (row.fine) {
      expect_retires(kIretq);
      EXPECT_FALSE(state().seg[SS].usable());
    } else {
      expect_fault(kIretq, kGP, 0);
    }
  }
}

TEST_F(Iret, Long_Errors) {
  struct Row {
    const char* what;
    u64 rip, cs, ss;
    Vector vector;
    u32 error;
  };
  const Row rows[] = {
      {"null CS", 0x12000, 0, kData0, kGP, 0},
      {"CS beyond the GDT", 0x12000, 0x100, kData0, kGP, 0x100},
      {"data as CS", 0x12000, kData0, kData0, kGP, kData0},
      {"CS not present", 0x12000, kCodeAbsent, kData0, kNP, kCodeAbsent},
      {"L and D", 0x12000, kLongAndBig, kData0, kGP, kLongAndBig},
      {"DPL differs from RPL", 0x12000, kCode64 | 3, kDataUser, kGP, kCode64},
      {"non-canonical rip", u64{1} << 47, kCode64, kData0, kGP, 0},
      {"rip beyond the limit", 0x100000000, kCode32, kData0, kGP, 0},
      {"SS of another level", 0x12000, kCode64User, kData0, kGP, kData0},
      {"SS not present", 0x12000, kCode64, kDataAbsent, kSS, kDataAbsent},
      {"SS read-only", 0x12000, kCode64, kReadOnly, kGP, kReadOnly},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    enter_64bit();
    reg(RSP) = kStack - 40;
    frame<u64>({row.rip, row.cs, 0x202, 0x1f008, row.ss});
    expect_fault(kIretq, row.vector, row.error);
  }
}

TEST_F(Iret, Long_NtFaults) {
  state().rflags |= kRflagsNt;
  expect_fault(kIretq, kGP, 0);
}

TEST_F(Iret, UserMayNotReturnInward) {
  enter_64bit(3);
  reg(RSP) = kUserStack - 40;
  frame<u64>({0x12000, kCode64, 0x202, kStack, kData0});
  expect_fault(kIretq, kGP, kCode64);
}

TEST_F(Iret, FlagsByLevel) {
  constexpr u64 kAll = 0x3f7fd5 & ~(kRflagsNt | (u64{1} << 17));
  struct Row {
    u8 cpl;
    u64 iopl;
    u64 expected;
  };
  constexpr u64 kUserFlags =
      kRflagsStatus | kRflagsTf | kRflagsDf | kRflagsRf | kRflagsAc | kRflagsId | kRflagsFixed;
  const Row rows[] = {
      {0, 0, kUserFlags | kRflagsIf | kRflagsIopl | kRflagsVif | kRflagsVip},
      {3, 0, kUserFlags},
      {3, 3, kUserFlags | kRflagsIf | kRflagsIopl},
  };
  for (const Row& row : rows) {
    enter_64bit(row.cpl);
    state().rflags = 2 | row.iopl << 12;
    cpu().sync_mode();
    reg(RSP) -= 40;
    frame<u64>(
        {0x12000, row.cpl == 0 ? kCode64 : kCode64User, kAll, 0x1f000, row.cpl == 0 ? kData0 : kDataUser});
    expect_retires(kIretq);
    EXPECT_EQ(state().rflags, row.expected) << unsigned{row.cpl} << " " << row.iopl;
  }
}

TEST_F(Iret, Protected_SameLevelLeavesSsAlone) {
  enter_32bit();
  reg(RSP) = kStack - 12;
  frame<u32>({0x12000, kCode32, 0x246});
  expect_retires(kIretd);
  EXPECT_EQ(reg(RSP), kStack);
  EXPECT_EQ(state().rflags, 0x246u);
}

TEST_F(Iret, Protected_Outer) {
  enter_32bit();
  reg(RSP) = kStack - 20;
  frame<u32>({0x12000, kCode32User, 0x202, kUserStack, kDataUser});
  expect_retires(kIretd);
  EXPECT_EQ(state().cpl, 3);
  EXPECT_EQ(reg(RSP), kUserStack);
  EXPECT_FALSE(state().seg[ES].usable());
}

TEST_F(Iret, Protected_SixteenBitOuterStackKeepsTheUpperHalf) {
  enter_32bit();
  set_descriptor(kScratch, descriptor(0, 0xffff, with_dpl(kAccessData, 3)));
  reg(RSP) = kStack - 20;
  frame<u32>({0x12000, kCode32User, 0x202, 0x1234, kScratch | 3});
  expect_retires(kIretd);
  EXPECT_EQ(reg(RSP), ((kStack - 20) & 0xffff0000) | 0x1234);
}

TEST_F(Iret, Protected_ToV86) {
  enter_32bit();
  reg(RSP) = kStack - 36;
  frame<u32>({0x10, 0x1100, 0x20202, 0x800, 0x1200, 0x1000, 0x1300, 0x1400, 0x1500});
  expect_retires(kIretd);
  EXPECT_EQ(state().cpl, 3);
  EXPECT_TRUE(cpu().mode.has(ModeKey::kV86));
  EXPECT_EQ(state().seg[CS].base, 0x11000u);
  EXPECT_EQ(state().seg[SS].selector, 0x1200);
  EXPECT_EQ(state().seg[GS].base, 0x15000u);
  EXPECT_EQ(state().seg[DS].limit, 0xffffu);
  EXPECT_EQ(reg(RSP), 0x800u);
}

TEST_F(Iret, V86_NeedsIopl3AndKeepsIt) {
  enter_v86(0);
  code({0xcf}, 0x11000);
  vcpu().run(2);  // #GP, HLT
  EXPECT_EQ(state().rip, handler(kGP) + 1);
  enter_v86(3);
  code({0xcf}, 0x11000);
  poke<u16>(0x12800, 0x20);
  poke<u16>(0x12802, 0x1110);
  poke<u16>(0x12804, 0x0202);
  vcpu().run(1);
  EXPECT_EQ(state().rip, 0x20u);
  EXPECT_EQ(state().seg[CS].base, 0x11100u);
  EXPECT_EQ(state().rflags, 0x23202u);
}

TEST_F(Iret, Real) {
  enter_real();
  code({0xcf}, 0x8000);
  reg(RSP) = 0x6ffa;
  frame<u16>({0x1234, 0x0200, 0x7202});
  vcpu().run(1);
  EXPECT_EQ(state().rip, 0x1234u);
  EXPECT_EQ(state().seg[CS].base, 0x2000u);
  EXPECT_EQ(state().rflags, 0x7202u);
  EXPECT_EQ(reg(RSP), 0x7000u);
}

TEST_F(Iret, UnblocksNmiEvenWhenItFaults) {
  state().nmi_blocked = true;
  state().rflags |= kRflagsNt;
  expect_fault(kIretq, kGP, 0);
  EXPECT_FALSE(state().nmi_blocked);
}

}  // namespace
}  // namespace reprise::test
