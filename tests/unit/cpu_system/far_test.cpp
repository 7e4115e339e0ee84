// Far JMP, CALL and RET, and call gates. SDM 2A, 2B; 3A 5.8.
#include "tests/unit/cpu_system/system_fixture.h"

namespace reprise::test {
namespace {

using namespace cpu;

class Far : public SystemFixture {
 public:
  static constexpr std::initializer_list<u8> kJmpMem = {0xff, 0x2b}, kCallMem = {0xff, 0x1b};  // [rBX], 16:32
  static constexpr std::initializer_list<u8> kRetf = {0xcb}, kRetfq = {0x48, 0xcb};
  /// A 16:32 pointer at [rBX].
  void pointer(u16 selector, u32 offset) {
    reg(RBX) = kData;
    poke<u32>(kData, offset);
    poke<u16>(kData + 4, selector);
  }
  template <class T>
  void frame(std::initializer_list<T> values) {
    reg(RSP) -= values.size() * sizeof(T);
    u64 at = reg(RSP);
    for (const T value : values) {
      poke<T>(at, value);
      at += sizeof(T);
    }
  }
  /// A 64-bit call gate of level `dpl` at kGate.
  void call_gate64(u16 selector, u64 offset, unsigned dpl) {
    set_descriptor(kGate, gate_low(selector, offset, static_cast<u8>(0x8c | dpl << 5)));
    set_descriptor(kGate + 8, offset >> 32);
  }
};

TEST_F(Far, JmpDirectChecks) {
  struct Row {
    const char* what;
    u8 cpl;
    u16 selector;
    int vector;
    u32 error;
  };
  const Row rows[] = {
      {"64-bit code", 0, kCode64, -1, 0},
      {"32-bit code: compatibility mode", 0, kCode32, -1, 0},
      {"conforming from level 3", 3, kConforming, -1, 0},
      {"null", 0, 0, kGP, 0},
      {"data", 0, kData0, kGP, kData0},
      {"inner code", 3, kCode64, kGP, kCode64},
      {"outer code", 0, kCode64User, kGP, kCode64User & ~3u},
      {"RPL above CPL", 0, kCode64 | 3, kGP, kCode64},
      {"not present", 0, kCodeAbsent, kNP, kCodeAbsent},
      {"L and D", 0, kLongAndBig, kGP, kLongAndBig},
      {"TSS in long mode", 0, kTssSelector, kGP, kTssSelector},
      {"beyond the GDT", 0, 0x100, kGP, 0x100},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    enter_64bit(row.cpl);
    pointer(row.selector, 0x12000);
    if (row.vector < 0) {
      expect_retires(kJmpMem);
      EXPECT_EQ(state().rip, 0x12000u);
      EXPECT_EQ(state().seg[CS].selector, (row.selector & ~3u) | row.cpl);
      EXPECT_EQ(state().cpl, row.cpl);
    } else {
      expect_fault(kJmpMem, static_cast<Vector>(row.vector), row.error);
    }
  }
}

TEST_F(Far, JmpImmediate) {
  enter_32bit();
  expect_retires({0xea, 0x00, 0x20, 0x00, 0x00, kCode16, 0x00});
  EXPECT_EQ(state().seg[CS].selector, kCode16);
  EXPECT_EQ(cpu().mode.code_size(), CodeSize::Bits16);
  enter_32bit();
  set_descriptor(kScratch, descriptor(0, 0x1ff, kAccessCode | kFlagDb));
  expect_fault({0xea, 0x00, 0x02, 0x00, 0x00, kScratch, 0x00}, kGP, 0);
}

TEST_F(Far, RealMode) {
  enter_real();
  code({0xea, 0x34, 0x12, 0x00, 0x20}, 0x8000);
  vcpu().run(1);
  EXPECT_EQ(state().rip, 0x1234u);
  EXPECT_EQ(state().seg[CS].base, 0x20000u);
  enter_real();
  code({0x9a, 0x34, 0x12, 0x00, 0x20}, 0x8000);
  code({0xca, 0x04, 0x00}, 0x21234);
  vcpu().run(1);
  EXPECT_EQ(peek<u16>(0x6ffc), 0x8005);
  vcpu().run(1);
  EXPECT_EQ(state().rip, 0x8005u);
  EXPECT_EQ(reg(RSP), 0x7004u);
}

TEST_F(Far, RealModeOffsetBeyondTheLimit) {
  enter_real();
  code({0x66, 0xea, 0x00, 0x00, 0x01, 0x00, 0x00, 0x20}, 0x8000);
  vcpu().run(1);
  EXPECT_EQ(state().seg[CS].selector, 0x9000);  // in the #GP handler
}

TEST_F(Far, CallPushesByOperandSize) {
  pointer(kCode64, 0x12000);
  expect_retires(kCallMem);
  EXPECT_EQ(reg(RSP), kStack - 8);
  EXPECT_EQ(peek<u32>(kStack - 8), kCode + 2);
  EXPECT_EQ(peek<u32>(kStack - 4), kCode64);
  enter_64bit();
  reg(RBX) = kData;
  poke<u64>(kData, 0x12000);
  poke<u16>(kData + 8, kCode64);
  expect_retires({0x48, 0xff, 0x1b});
  EXPECT_EQ(reg(RSP), kStack - 16);
  EXPECT_EQ(peek<u64>(kStack - 8), kCode64);
}

TEST_F(Far, CallGateToTheSameLevel) {
  call_gate64(kCode64, 0x12000, 0);
  pointer(kGate, 0xdead);
  expect_retires(kCallMem);
  EXPECT_EQ(state().rip, 0x12000u);
  EXPECT_EQ(reg(RSP), kStack - 16);
  EXPECT_EQ(peek<u64>(kStack - 16), kCode + 2);
}

TEST_F(Far, CallGateInward) {
  enter_64bit(3);
  call_gate64(kCode64, 0x12000, 3);
  pointer(kGate, 0);
  expect_retires(kCallMem);
  EXPECT_EQ(state().cpl, 0);
  EXPECT_EQ(reg(RSP), kInnerStack - 32);
  const u64 frame = reg(RSP);
  EXPECT_EQ(peek<u64>(frame), kCode + 2);
  EXPECT_EQ(peek<u64>(frame + 8), kCode64User);
  EXPECT_EQ(peek<u64>(frame + 16), kUserStack);
  EXPECT_EQ(peek<u64>(frame + 24), kDataUser);
  EXPECT_FALSE(state().seg[SS].usable());
  // And back out.
  code(kRetfq, 0x12000);
  vcpu().run(1);
  EXPECT_EQ(state().cpl, 3);
  EXPECT_EQ(state().rip, kCode + 2);
  EXPECT_EQ(reg(RSP), kUserStack);
  EXPECT_EQ(state().seg[SS].selector, kDataUser);
}

TEST_F(Far, CallGateErrors) {
  enter_64bit(3);
  pointer(kGate, 0);
  call_gate64(kCode64, 0x12000, 0);
  expect_fault(kCallMem, kGP, kGate);  // gate DPL
  call_gate64(kCode64, 0x12000, 3);
  set_descriptor(kGate, get_descriptor(kGate) & ~(u64{1} << 47));
  expect_fault(kCallMem, kNP, kGate);
  call_gate64(kCode32, 0x12000, 3);
  expect_fault(kCallMem, kGP, kCode32);  // not 64-bit
  call_gate64(0, 0x12000, 3);
  expect_fault(kCallMem, kGP, 0);
  call_gate64(kCode64, u64{1} << 47, 3);
  expect_fault(kCallMem, kGP, 0);
  call_gate64(kCode64, 0x12000, 3);
  set_descriptor(kGate + 8, u64{0xc} << 40);
  expect_fault(kCallMem, kGP, kGate);
  call_gate64(kCode64, 0x12000, 3);
  expect_fault(kJmpMem, kGP, kCode64);  // JMP does not change level
}

TEST_F(Far, CallGate32CopiesParameters) {
  enter_32bit(3);
  set_descriptor(kGate, gate_low(kCode32, 0x12000, 0xec) | u64{2} << 32);
  frame<u32>({0x11111111, 0x22222222});
  pointer(kGate, 0);
  expect_retires(kCallMem);
  const u64 at = kInnerStack - 24;
  EXPECT_EQ(reg(RSP), at);
  const u32 expected[] = {static_cast<u32>(kCode + 2),      kCode32User, 0x11111111, 0x22222222,
                          static_cast<u32>(kUserStack - 8), kDataUser};
  for (unsigned i = 0; i < 6; ++i) EXPECT_EQ(peek<u32>(at + 4 * i), expected[i]) << i;
  // RETF 8 releases the parameters on both stacks.
  code({0xca, 0x08, 0x00}, 0x12000);
  vcpu().run(1);
  EXPECT_EQ(reg(RSP), kUserStack);
  EXPECT_EQ(state().cpl, 3);
  EXPECT_FALSE(state().seg[SS].dpl() != 3);
}

TEST_F(Far, RetfErrors) {
  struct Row {
    const char* what;
    u64 rip, cs;
    Vector vector;
    u32 error;
  };
  const Row rows[] = {
      {"null", 0x12000, 0, kGP, 0},
      {"data", 0x12000, kData0, kGP, kData0},
      {"not present", 0x12000, kCodeAbsent, kNP, kCodeAbsent},
      {"non-canonical", u64{1} << 47, kCode64, kGP, 0},
      {"beyond the GDT", 0x12000, 0x100, kGP, 0x100},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    enter_64bit();
    frame<u64>({row.rip, row.cs});
    expect_fault(kRetfq, row.vector, row.error);
  }
  enter_64bit(3);
  frame<u64>({0x12000, kCode64});
  expect_fault(kRetfq, kGP, kCode64);
}

TEST_F(Far, RetfOutwardTakesAwaySegments) {
  frame<u64>({0x12000, kCode64User, kUserStack, kDataUser});
  state().seg[ES] = to_segment(kDataUser, {.low = get_descriptor(kDataUser)});
  expect_retires(kRetfq);
  EXPECT_EQ(state().cpl, 3);
  EXPECT_FALSE(state().seg[DS].usable());
  EXPECT_TRUE(state().seg[ES].usable());
}

}  // namespace
}  // namespace reprise::test
