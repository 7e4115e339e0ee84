// What surrounds vector bodies: faults and their order, alignment, access sizes, MMX and x87, MXCSR, upper halves.
#include "cpu/sem/vector_shapes.h"
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

constexpr u32 kErrorWrite = 2;

class VectorState64 : public CpuFixture {
 protected:
  static constexpr u64 kPage = kData + kPageBytes;

  VectorState64() {
    for (unsigned i = 0; i < 16; ++i) state().ymm[i] = V256{{i + 1, 0x100u + i, 0x200u + i, 0x300u + i}};
    reg(RAX) = kData;
  }
  V128 xmm0() { return xmm(state(), 0); }
};

TEST_F(VectorState64, LegacySseKeepsTheUpperHalf) {
  run({0x66, 0x0f, 0xfe, 0xc1});  // paddd xmm0, xmm1
  EXPECT_EQ(state().ymm[0], (V256{{3, 0x201, 0x200, 0x300}}));
  run({0x0f, 0x28, 0x00});  // movaps xmm0, [rax]
  EXPECT_EQ(state().ymm[0], (V256{{0, 0, 0x200, 0x300}}));
}

TEST_F(VectorState64, MisalignedOperandsFault) {
  reg(RAX) = kData + 8;
  expect_fault({0x66, 0x0f, 0xfe, 0x00}, kGP);        // paddd xmm0, [rax]
  expect_fault({0x66, 0x0f, 0x7f, 0x00}, kGP);        // movdqa [rax], xmm0
  expect_fault({0x0f, 0x2b, 0x00}, kGP);              // movntps [rax], xmm0
  expect_fault({0x66, 0x0f, 0x38, 0x2a, 0x00}, kGP);  // movntdqa xmm0, [rax]
  expect_fault({0x0f, 0x58, 0x00}, kGP);              // addps xmm0, [rax]
  EXPECT_EQ(xmm0(), (V128{{1, 0x100}}));
}

TEST_F(VectorState64, SomeOperandsNeedNoAlignment) {
  reg(RAX) = kData + 1;
  poke<u64>(kData + 1, 7);
  poke<u64>(kData + 9, 8);
  run({0x0f, 0x10, 0x00});  // movups xmm0, [rax]
  EXPECT_EQ(xmm0(), (V128{{7, 8}}));
  run({0xf2, 0x0f, 0xf0, 0x08});  // lddqu xmm1, [rax]
  EXPECT_EQ(xmm(state(), 1), (V128{{7, 8}}));
  EXPECT_EQ(run({0x66, 0x0f, 0x3a, 0x63, 0x00, 0x00}), RunExit::Budget);  // pcmpistri xmm0, [rax], 0
  EXPECT_EQ(run({0xf3, 0x0f, 0x58, 0x00}), RunExit::Budget);              // addss xmm0, [rax]
}

TEST_F(VectorState64, AlignmentCheckIsForOperandsUpToEightBytes) {
  enter_64bit(3);
  state().cr0 |= mmu::kCr0Am;
  rflags() |= kRflagsAc;
  apply();
  reg(RAX) = reg(RDI) = kData + 4;
  expect_fault({0xf3, 0x0f, 0x7e, 0x00}, kAC);                // movq xmm0, [rax]
  expect_fault({0x0f, 0xfc, 0x00}, kAC);                      // paddb mm0, [rax]
  expect_fault({0x66, 0x0f, 0xf7, 0xc1}, kAC);                // maskmovdqu xmm0, xmm1
  EXPECT_EQ(run({0x66, 0x0f, 0x6e, 0x00}), RunExit::Budget);  // movd xmm0, [rax]
  EXPECT_EQ(run({0x0f, 0x10, 0x00}), RunExit::Budget);        // movups xmm0, [rax]
  reg(RDI) = kData + 8;
  EXPECT_EQ(run({0x66, 0x0f, 0xf7, 0xc1}), RunExit::Budget);  // maskmovdqu xmm0, xmm1
}

/// The last bytes before an unmapped page: an instruction reads no byte more than its operand has.
TEST_F(VectorState64, OperandsAreReadAtTheirExactSize) {
  unmap(kPage);
  const struct {
    std::initializer_list<u8> code;
    unsigned bytes;
  } cases[] = {
      {{0xf3, 0x0f, 0x10, 0x00}, 4},              // movss xmm0, [rax]
      {{0xf2, 0x0f, 0x10, 0x00}, 8},              // movsd xmm0, [rax]
      {{0x66, 0x0f, 0x6e, 0x00}, 4},              // movd xmm0, [rax]
      {{0xf3, 0x0f, 0x7e, 0x00}, 8},              // movq xmm0, [rax]
      {{0x0f, 0x12, 0x00}, 8},                    // movlps xmm0, [rax]
      {{0xf2, 0x0f, 0x12, 0x00}, 8},              // movddup xmm0, [rax]
      {{0x0f, 0x60, 0x00}, 4},                    // punpcklbw mm0, [rax]
      {{0x0f, 0x68, 0x00}, 8},                    // punpckhbw mm0, [rax]
      {{0x66, 0x0f, 0x60, 0x00}, 16},             // punpcklbw xmm0, [rax]
      {{0x66, 0x0f, 0xc4, 0x00, 0x00}, 2},        // pinsrw xmm0, [rax], 0
      {{0x66, 0x0f, 0x3a, 0x20, 0x00, 0x00}, 1},  // pinsrb xmm0, [rax], 0
      {{0x66, 0x0f, 0x3a, 0x21, 0x00, 0x00}, 4},  // insertps xmm0, [rax], 0
      {{0x66, 0x0f, 0x38, 0x30, 0x00}, 8},        // pmovzxbw xmm0, [rax]
      {{0x66, 0x0f, 0x38, 0x21, 0x00}, 4},        // pmovsxbd xmm0, [rax]
      {{0x66, 0x0f, 0x38, 0x32, 0x00}, 2},        // pmovzxbq xmm0, [rax]
      {{0x0f, 0x5a, 0x00}, 8},                    // cvtps2pd xmm0, [rax]
      {{0xf3, 0x0f, 0xe6, 0x00}, 8},              // cvtdq2pd xmm0, [rax]
      {{0xf2, 0x0f, 0x2a, 0x00}, 4},              // cvtsi2sd xmm0, dword [rax]
      {{0xf2, 0x48, 0x0f, 0x2a, 0x00}, 8},        // cvtsi2sd xmm0, qword [rax]
      {{0xf3, 0x0f, 0x58, 0x00}, 4},              // addss xmm0, [rax]
      {{0x0f, 0x2e, 0x00}, 4},                    // ucomiss xmm0, [rax]
  };
  for (const auto& test : cases) {
    reg(RAX) = kPage - test.bytes;
    EXPECT_EQ(run(test.code), RunExit::Budget) << "bytes " << test.bytes;
    if (test.bytes == 16) continue;
    reg(RAX) = kPage - test.bytes + 1;
    EXPECT_EQ(run(test.code), RunExit::Fault) << "bytes " << test.bytes;
    EXPECT_EQ(cpu().fault.vector, kPF);
    EXPECT_EQ(cpu().fault.linear, kPage);
  }
}

TEST_F(VectorState64, StoresAreExactToo) {
  unmap(kPage);
  reg(RAX) = kPage - 8;
  EXPECT_EQ(run({0x66, 0x0f, 0xd6, 0x00}), RunExit::Budget);  // movq [rax], xmm0
  EXPECT_EQ(run({0x0f, 0x17, 0x00}), RunExit::Budget);        // movhps [rax], xmm0
  EXPECT_EQ(peek<u64>(kPage - 8), 0x100u);
  reg(RAX) = kPage - 1;
  EXPECT_EQ(run({0x66, 0x0f, 0x3a, 0x14, 0x00, 0x00}), RunExit::Budget);  // pextrb [rax], xmm0, 0
  EXPECT_EQ(peek<u8>(kPage - 1), 1);
  reg(RAX) = kPage - 4;
  const u64 before = peek<u64>(kPage - 8);
  expect_fault({0x66, 0x0f, 0xd6, 0x00}, kPF, kErrorWrite);  // movq [rax], xmm0
  EXPECT_EQ(peek<u64>(kPage - 8), before);
}

TEST_F(VectorState64, MaskedStoreWritesOnlyChosenBytes) {
  poke<u64>(kData, 0);
  poke<u64>(kData + 8, 0);
  reg(RDI) = kData;
  set_xmm(state(), 0, V128{{0x8877665544332211, 0xffeeddccbbaa9988}});
  set_xmm(state(), 1, V128{{0x80007f0000000080, 0x8000000000000000}});
  run({0x66, 0x0f, 0xf7, 0xc1});  // maskmovdqu xmm0, xmm1
  EXPECT_EQ(peek<u64>(kData), 0x8800000000000011u);
  EXPECT_EQ(peek<u64>(kData + 8), 0xff00000000000000u);
  // All of the operand must be writable, and the upper quadword is looked at first.
  unmap(kPage);
  reg(RDI) = kPage - 4;
  set_xmm(state(), 1, V128{});
  expect_fault({0x66, 0x0f, 0xf7, 0xc1}, kPF, kErrorWrite);
  EXPECT_EQ(cpu().fault.linear, kPage + 4);
}

TEST_F(VectorState64, MmxTakesOverTheX87Registers) {
  state().x87.fsw = 3 << 11;
  state().x87.valid = 0;
  state().x87.st[2] = {5, 0x1234};
  state().x87.st[3] = {6, 0x4321};
  run({0x0f, 0xfe, 0xd3});  // paddd mm2, mm3
  EXPECT_EQ(state().x87.st[2], (Float80{11, 0xffff}));
  EXPECT_EQ(state().x87.st[3], (Float80{6, 0x4321}));
  EXPECT_EQ(state().x87.fsw, 0);
  EXPECT_EQ(state().x87.valid, 0xff);
  run({0x0f, 0x77});  // emms
  EXPECT_EQ(state().x87.valid, 0);
}

TEST_F(VectorState64, PendingX87ExceptionComesFirst) {
  unmap(kPage);
  reg(RAX) = kPage;
  state().x87.fsw = 0x8081;
  expect_fault({0x0f, 0xfe, 0x10}, kMF);  // paddd mm2, [rax]
  expect_fault({0x0f, 0x77}, kMF);        // emms
  EXPECT_EQ(state().x87.fsw, 0x8081);
  EXPECT_EQ(run({0xf2, 0x0f, 0xd6, 0xd0}), RunExit::Fault);  // movdq2q mm2, xmm0
  // Without an MMX register there is no transition.
  reg(RAX) = kData;
  EXPECT_EQ(run({0x66, 0x0f, 0x2a, 0x00}), RunExit::Budget);  // cvtpi2pd xmm0, [rax]
  EXPECT_EQ(run({0x0f, 0x2a, 0x00}), RunExit::Budget);        // cvtpi2ps xmm0, [rax]
  EXPECT_EQ(state().x87.fsw, 0x8081);
}

TEST_F(VectorState64, ControlRegistersDecideWhatExists) {
  state().cr4 &= ~mmu::kCr4Osfxsr;
  apply();
  expect_fault({0x66, 0x0f, 0xfe, 0xc1}, kUD);          // paddd xmm0, xmm1
  EXPECT_EQ(run({0x0f, 0xfe, 0xc1}), RunExit::Budget);  // paddd mm0, mm1
  EXPECT_EQ(run({0x0f, 0xd7, 0xc1}), RunExit::Budget);  // pmovmskb eax, mm1
  expect_fault({0x66, 0x0f, 0xd7, 0xc1}, kUD);          // pmovmskb eax, xmm1
  expect_fault({0xf3, 0x0f, 0xd6, 0xc1}, kUD);          // movq2dq xmm0, mm1
  state().cr0 |= mmu::kCr0Ts;
  apply();
  expect_fault({0x0f, 0xfe, 0xc1}, kNM);                // paddd mm0, mm1
  expect_fault({0x66, 0x0f, 0xfe, 0xc1}, kUD);          // paddd xmm0, xmm1: #UD first
  EXPECT_EQ(run({0x0f, 0xc3, 0x08}), RunExit::Budget);  // movnti [rax], ecx
  state().cr0 |= mmu::kCr0Em;
  apply();
  expect_fault({0x0f, 0xfe, 0xc1}, kUD);  // paddd mm0, mm1
}

class VectorExceptions : public VectorState64 {
 protected:
  static constexpr u32 kUnmaskZe = 0x1f80 & ~(softfloat::kZE << kMxcsrMasksShift);
  VectorExceptions() {
    set_xmm(state(), 0, V128{{0x3f800000'3f800000, 0x3f800000'3f800000}});
    set_xmm(state(), 1, V128{{0x40400000'00000000, 0x40400000'40400000}});
    state().mxcsr = kUnmaskZe;
  }
};

TEST_F(VectorExceptions, UnmaskedExceptionLeavesTheDestination) {
  expect_fault({0x0f, 0x5e, 0xc1}, kXM);  // divps xmm0, xmm1
  EXPECT_EQ(xmm0(), (V128{{0x3f800000'3f800000, 0x3f800000'3f800000}}));
  // 1/3 in the other elements is not even computed: no PE.
  EXPECT_EQ(state().mxcsr, kUnmaskZe | softfloat::kZE);
}

TEST_F(VectorExceptions, WithoutOsxmmexcptItIsUndefinedOpcode) {
  state().cr4 &= ~mmu::kCr4Osxmmexcpt;
  apply();
  expect_fault({0x0f, 0x5e, 0xc1}, kUD);  // divps xmm0, xmm1
}

TEST_F(VectorExceptions, MaskedExceptionsStick) {
  state().mxcsr = 0x1f80;
  EXPECT_EQ(run({0x0f, 0x5e, 0xc1}), RunExit::Budget);  // divps xmm0, xmm1
  EXPECT_EQ(state().mxcsr, 0x1f80u | softfloat::kZE | softfloat::kPE);
  EXPECT_EQ(xmm0(), (V128{{0x3eaaaaab'7f800000, 0x3eaaaaab'3eaaaaab}}));
}

TEST_F(VectorExceptions, CompareToFlagsLeavesFlagsWhenItFaults) {
  state().mxcsr = 0x1f80 & ~(softfloat::kIE << kMxcsrMasksShift);
  set_xmm(state(), 1, V128{{0x7fc00000, 0}});
  rflags() |= kRflagsStatus;
  expect_fault({0x0f, 0x2f, 0xc1}, kXM);                // comiss xmm0, xmm1
  EXPECT_EQ(run({0x0f, 0x2e, 0xc1}), RunExit::Budget);  // ucomiss xmm0, xmm1
  EXPECT_EQ(rflags() & kRflagsStatus, kRflagsZf | kRflagsPf | kRflagsCf);
}

/// A #XM that follows the switch to MMX registers does not undo it.
TEST_F(VectorExceptions, ConversionToMmxSwitchesBeforeItFaults) {
  state().mxcsr = 0x1f80 & ~(softfloat::kIE << kMxcsrMasksShift);
  state().x87.fsw = 3 << 11;
  set_xmm(state(), 1, V128{{0x7fc00000, 0}});
  expect_fault({0x0f, 0x2d, 0xc1}, kXM);  // cvtps2pi mm0, xmm1
  EXPECT_EQ(state().x87.fsw, 0);
  EXPECT_EQ(state().x87.valid, 0xff);
  EXPECT_EQ(state().x87.st[0], Float80{});
}

}  // namespace
}  // namespace reprise::test
