// FXSAVE, FXRSTOR, XSAVE, XRSTOR, MXCSR. SDM 1 10.5, chapter 13.
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

class Xstate : public SystemFixture {
 public:
  static constexpr std::initializer_list<u8> kFxsave = {0x0f, 0xae, 0x03},
                                             kFxsave64 = {0x48, 0x0f, 0xae, 0x03},
                                             kFxrstor = {0x0f, 0xae, 0x0b},
                                             kFxrstor64 = {0x48, 0x0f, 0xae, 0x0b},
                                             kXsave = {0x0f, 0xae, 0x23}, kXrstor = {0x0f, 0xae, 0x2b},
                                             kXsaveopt = {0x0f, 0xae, 0x33}, kXsavec = {0x0f, 0xc7, 0x23},
                                             kXsaves = {0x0f, 0xc7, 0x2b}, kXrstors = {0x0f, 0xc7, 0x1b},
                                             kLdmxcsr = {0x0f, 0xae, 0x13}, kStmxcsr = {0x0f, 0xae, 0x1b};
  void fill_state() {
    X87& x87 = state().x87;
    x87.fcw = 0x027f;
    x87.fsw = 5u << 11 | 0x4100;
    x87.valid = 0xa5;
    x87.fop = 0x123;
    x87.fip = 0x1122334455667788;
    x87.fdp = 0x99aabbccddeeff00;
    for (unsigned i = 0; i < 8; ++i)
      x87.st[i] = {.significand = 0x1000 + i, .sign_exponent = static_cast<u16>(0x4000 + i)};
    for (unsigned i = 0; i < 16; ++i) state().ymm[i] = {{0x100 + i, 0x200 + i, 0x300 + i, 0x400 + i}};
    state().mxcsr = 0x1fa0;
    reg(RBX) = kData;
    for (unsigned i = 0; i < 1024; ++i) poke<u8>(kData + i, 0xcc);
  }
};

TEST_F(Xstate, FxsaveLayout) {
  fill_state();
  expect_retires(kFxsave64);
  EXPECT_EQ(peek<u16>(kData), 0x027f);
  EXPECT_EQ(peek<u16>(kData + 2), 5u << 11 | 0x4100);
  EXPECT_EQ(peek<u16>(kData + 4), 0xa5);
  EXPECT_EQ(peek<u16>(kData + 6), 0x123);
  EXPECT_EQ(peek<u64>(kData + 8), 0x1122334455667788u);
  EXPECT_EQ(peek<u64>(kData + 16), 0x99aabbccddeeff00u);
  EXPECT_EQ(peek<u32>(kData + 24), 0x1fa0u);
  EXPECT_EQ(peek<u32>(kData + 28), 0xffffu);
  for (unsigned i = 0; i < 8; ++i) {  // by stack position
    EXPECT_EQ(peek<u64>(kData + 32 + 16 * i), 0x1000 + (5 + i) % 8);
    EXPECT_EQ(peek<u64>(kData + 40 + 16 * i), 0x4000 + (5 + i) % 8);
  }
  for (unsigned i = 0; i < 16; ++i) {
    EXPECT_EQ(peek<u64>(kData + 160 + 16 * i), 0x100 + i);
    EXPECT_EQ(peek<u64>(kData + 168 + 16 * i), 0x200 + i);
  }
  EXPECT_EQ(peek<u64>(kData + 416), 0xccccccccccccccccu);
}

TEST_F(Xstate, FxsaveWithoutRexHas32BitPointers) {
  fill_state();
  expect_retires(kFxsave);
  EXPECT_EQ(peek<u64>(kData + 8), 0x55667788u);
  EXPECT_EQ(peek<u64>(kData + 16), 0xddeeff00u);
}

TEST_F(Xstate, FxsaveOutside64BitModeLeavesUpperXmmAlone) {
  enter_32bit();
  state().cr4 = mmu::kCr4Osfxsr;
  apply();
  fill_state();
  expect_retires(kFxsave);
  EXPECT_EQ(peek<u64>(kData + 160 + 16 * 7), 0x107u);
  EXPECT_EQ(peek<u64>(kData + 160 + 16 * 8), 0xccccccccccccccccu);
}

TEST_F(Xstate, FxrstorRoundTrip) {
  fill_state();
  expect_retires(kFxsave64);
  const CpuState saved = state();
  state().x87 = X87{};
  for (auto& reg_value : state().ymm) reg_value = {};
  state().mxcsr = 0x1f80;
  expect_retires(kFxrstor64);
  EXPECT_EQ(state().x87.fcw, saved.x87.fcw);
  EXPECT_EQ(state().x87.fsw, saved.x87.fsw);
  EXPECT_EQ(state().x87.valid, saved.x87.valid);
  EXPECT_EQ(state().x87.fip, saved.x87.fip);
  EXPECT_EQ(state().x87.st, saved.x87.st);
  EXPECT_EQ(state().mxcsr, saved.mxcsr);
  EXPECT_EQ(state().ymm[15].qword[1], 0x20fu);
  EXPECT_EQ(state().ymm[15].qword[2], 0u);  // the upper half is not FXRSTOR's
}

TEST_F(Xstate, FxrstorErrors) {
  fill_state();
  expect_retires(kFxsave64);
  poke<u32>(kData + 24, 0x10000);
  expect_fault(kFxrstor64, kGP, 0);
  reg(RBX) = kData + 8;
  expect_fault(kFxrstor64, kGP, 0);
  expect_fault(kFxsave64, kGP, 0);
  state().cr0 |= mmu::kCr0Ts;
  apply();
  expect_fault(kFxsave64, kNM);
}

TEST_F(Xstate, FxsaveIsAllOrNothing) {
  fill_state();
  reg(RBX) = 0x50f00;
  unmap(0x51000);
  poke<u64>(0x50f00, 0x1234);
  expect_fault(kFxsave64, kPF, mmu::kPfW);
  EXPECT_EQ(peek<u64>(0x50f00), 0x1234u);
}

TEST_F(Xstate, XsaveoptLeavesInitialComponentsAlone) {
  fill_state();
  for (auto& reg_value : state().ymm) reg_value = {};
  state().mxcsr = 0x1f80;
  poke<u64>(kData + 512, 6);
  reg(RAX) = 3;
  reg(RDX) = 0;
  expect_retires(kXsaveopt);
  EXPECT_EQ(peek<u64>(kData + 512), 4u | 1);  // the bit of SSE is cleared, that of AVX not asked for
  EXPECT_EQ(peek<u16>(kData), 0x027f);
  EXPECT_EQ(peek<u64>(kData + 160), 0xccccccccccccccccu);
  EXPECT_EQ(peek<u32>(kData + 24), 0x1f80u);  // MXCSR is written all the same
}

TEST_F(Xstate, CompactedRoundTrip) {
  for (const bool supervisor : {false, true}) {
    SCOPED_TRACE(supervisor);
    fill_state();
    for (unsigned at = 528; at < 576; at += 8) poke<u64>(kData + at, 0);
    reg(RAX) = 3;
    reg(RDX) = 0;
    expect_retires(supervisor ? kXsaves : kXsavec);
    EXPECT_EQ(peek<u64>(kData + 512), 3u);
    EXPECT_EQ(peek<u64>(kData + 520), 0x8000000000000003u);
    const CpuState saved = state();
    state().x87 = X87{};
    for (auto& reg_value : state().ymm) reg_value.qword[0] = 1;
    state().mxcsr = 0x1f80;
    expect_retires(supervisor ? kXrstors : kXrstor);
    EXPECT_EQ(state().x87.st, saved.x87.st);
    EXPECT_EQ(state().mxcsr, saved.mxcsr);
    EXPECT_EQ(state().ymm[15].qword[0], 0x10fu);
  }
}

TEST_F(Xstate, CompactedFormWithoutSseInitialisesMxcsr) {
  fill_state();
  for (unsigned at = 512; at < 576; at += 8) poke<u64>(kData + at, 0);
  poke<u64>(kData + 520, 0x8000000000000003);
  reg(RAX) = 2;
  reg(RDX) = 0;
  expect_retires(kXrstor);
  EXPECT_EQ(state().mxcsr, 0x1f80u);
  EXPECT_EQ(state().ymm[3].qword[1], 0u);
  EXPECT_EQ(state().x87.fcw, 0x027f);
}

TEST_F(Xstate, CompactedHeaderErrors) {
  struct Row {
    u64 xstate_bv, xcomp_bv;
    unsigned stray;  // offset of a byte that should be 0
    bool xrstor, xrstors;
  };
  constexpr u64 kCompacted = u64{1} << 63;
  const Row rows[] = {
      {3, kCompacted | 3, 0, true, true},
      {3, kCompacted | 1, 0, false, false},                 // a component that the area has no room for
      {3, kCompacted | 3 | u64{1} << 40, 0, false, false},  // one that is not there
      {3, kCompacted | 3, 528, false, false},
      {3, kCompacted | 3, 575, false, false},
      {3, 0, 0, true, false},    // the standard form
      {3, 0, 536, true, false},  // which looks at bytes 23:8 only
      {3, 0, 535, false, false},
      {3, 3, 0, false, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(::testing::Message() << std::hex << row.xcomp_bv << ' ' << row.stray);
    fill_state();
    reg(RAX) = 3;
    reg(RDX) = 0;
    poke<u32>(kData + 24, 0x1f80);
    for (unsigned at = 512; at < 576; at += 8) poke<u64>(kData + at, 0);
    poke<u64>(kData + 512, row.xstate_bv);
    poke<u64>(kData + 520, row.xcomp_bv);
    if (row.stray != 0) poke<u8>(kData + row.stray, 1);
    row.xrstor ? expect_retires(kXrstor) : expect_fault(kXrstor, kGP, 0);
    row.xrstors ? expect_retires(kXrstors) : expect_fault(kXrstors, kGP, 0);
  }
}

TEST_F(Xstate, SupervisorFormsNeedCpl0) {
  fill_state();
  enter_64bit(3);
  reg(RBX) = kData;
  expect_fault(kXsaves, kGP, 0);
  expect_fault(kXrstors, kGP, 0);
}

TEST_F(Xstate, XsaveWritesWhatIsAsked) {
  for (const u64 asked : {1u, 2u, 3u, 7u}) {
    fill_state();
    poke<u64>(kData + 512, 4);  // another component's bit stays
    reg(RAX) = asked;
    reg(RDX) = 0;
    expect_retires(kXsave);
    EXPECT_EQ(peek<u64>(kData + 512), 4 | (asked & 3));
    EXPECT_EQ(peek<u16>(kData), asked & 1 ? 0x027f : 0xcccc);
    EXPECT_EQ(peek<u64>(kData + 160), asked & 2 ? 0x100u : 0xccccccccccccccccu);
    EXPECT_EQ(peek<u32>(kData + 24), asked & 2 ? 0x1fa0u : 0xccccccccu);
    EXPECT_EQ(peek<u64>(kData + 520), 0xccccccccccccccccu);
    EXPECT_EQ(peek<u64>(kData + 576), 0xccccccccccccccccu);
  }
}

TEST_F(Xstate, XrstorInitialisesWhatIsNotThere) {
  fill_state();
  for (unsigned i = 0; i < 576; ++i) poke<u8>(kData + i, 0);
  poke<u32>(kData + 24, 0x1f80);
  reg(RAX) = 3;
  reg(RDX) = 0;
  expect_retires(kXrstor);
  EXPECT_EQ(state().x87.fcw, 0x37f);
  EXPECT_EQ(state().x87.valid, 0);
  EXPECT_EQ(state().x87.st[3], Float80{});
  EXPECT_EQ(state().ymm[9].qword[0], 0u);
  EXPECT_EQ(state().ymm[9].qword[2], 0x309u);
  EXPECT_EQ(state().mxcsr, 0x1f80u);
}

TEST_F(Xstate, XrstorRoundTripOfOneComponent) {
  fill_state();
  reg(RAX) = 3;
  reg(RDX) = 0;
  poke<u64>(kData + 512, 0);
  poke<u64>(kData + 520, 0);
  poke<u64>(kData + 528, 0);
  expect_retires(kXsave);
  state().ymm[4] = {};
  state().x87.fcw = 0x37f;
  reg(RAX) = 2;
  expect_retires(kXrstor);
  EXPECT_EQ(state().ymm[4].qword[0], 0x104u);
  EXPECT_EQ(state().x87.fcw, 0x37f);
}

TEST_F(Xstate, XrstorHeaderRules) {
  struct Row {
    const char* what;
    u64 bv, comp, reserved;
    u32 mxcsr;
    u64 asked;
    bool fine;
  };
  const Row rows[] = {
      {"plain", 3, 0, 0, 0x1f80, 3, true},
      {"bit outside XCR0", 4, 0, 0, 0x1f80, 3, false},
      {"compacted", 3, u64{1} << 63, 0, 0x1f80, 3, false},
      {"reserved", 3, 0, 1, 0x1f80, 3, false},
      {"bad MXCSR", 3, 0, 0, 0x10000, 3, false},
      {"bad MXCSR, SSE not in the area", 1, 0, 0, 0x10000, 3, false},
      {"bad MXCSR, SSE not asked for", 3, 0, 0, 0x10000, 1, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    fill_state();
    poke<u64>(kData + 512, row.bv);
    poke<u64>(kData + 520, row.comp);
    poke<u64>(kData + 528, row.reserved);
    poke<u32>(kData + 24, row.mxcsr);
    reg(RAX) = row.asked;
    reg(RDX) = 0;
    row.fine ? expect_retires(kXrstor) : expect_fault(kXrstor, kGP, 0);
  }
  reg(RBX) = kData + 32;
  expect_fault(kXrstor, kGP, 0);
  expect_fault(kXsave, kGP, 0);
}

TEST_F(Xstate, XsaveChecks) {
  fill_state();
  state().cr0 |= mmu::kCr0Ts;
  apply();
  expect_fault(kXsave, kNM);
  enter_64bit();
  state().cr4 &= ~mmu::kCr4Osxsave;
  apply();
  expect_fault(kXsave, kUD);
}

TEST_F(Xstate, Mxcsr) {
  reg(RBX) = kData;
  poke<u32>(kData, 0xffff);
  expect_retires(kLdmxcsr);
  EXPECT_EQ(state().mxcsr, 0xffffu);
  poke<u32>(kData, 0x10000);
  expect_fault(kLdmxcsr, kGP, 0);
  expect_retires(kStmxcsr);
  EXPECT_EQ(peek<u32>(kData), 0xffffu);
  state().cr4 &= ~mmu::kCr4Osfxsr;
  apply();
  expect_fault(kLdmxcsr, kUD);
}

}  // namespace
}  // namespace reprise::test
