// VEX-encoded instructions where user mode on a host cannot look: modes, control registers, profiles, paging.
#include "cpu/decode/decode.h"
#include "cpu/sem/vex_shapes.h"
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

constexpr V256 kNumbers{{1, 2, 3, 4}};

class Avx : public CpuFixture {
 protected:
  Avx() {
    for (unsigned i = 0; i < 16; ++i) state().ymm[i] = V256{{i, 0x100 + i, 0x200 + i, 0x300 + i}};
    reg(RAX) = kData;
  }
  /// 32-bit protected mode as an operating system that knows AVX sets it up.
  void enter_32bit_avx() {
    enter_32bit();
    state().cr4 = mmu::kCr4Osfxsr | mmu::kCr4Osxmmexcpt | mmu::kCr4Osxsave;
    state().xcr0 = 7;
    apply();
  }
};

TEST_F(Avx, NeedsOsxsaveAndXcr0) {
  const auto expect_undefined = [this] {
    apply();
    expect_fault({0xc5, 0xf4, 0x58, 0xc2}, kUD);        // vaddps ymm0, ymm1, ymm2
    expect_fault({0xc5, 0xf8, 0x77}, kUD);              // vzeroupper
    expect_fault({0xc5, 0xf8, 0xae, 0x18}, kUD);        // vstmxcsr [rax]
    expect_fault({0xc4, 0xe2, 0xf1, 0x98, 0xc2}, kUD);  // vfmadd132pd xmm0, xmm1, xmm2
  };
  state().xcr0 = 3;
  expect_undefined();
  state().xcr0 = 7;
  state().cr4 &= ~mmu::kCr4Osxsave;
  expect_undefined();
  state().cr4 |= mmu::kCr4Osxsave;
  apply();
  EXPECT_EQ(run({0xc5, 0xf8, 0x77}), RunExit::Budget);
}

TEST_F(Avx, GeneralRegisterFormsDoNot) {
  state().xcr0 = 1;
  state().cr4 &= ~(mmu::kCr4Osxsave | mmu::kCr4Osfxsr);
  state().cr0 |= mmu::kCr0Ts | mmu::kCr0Em;
  apply();
  EXPECT_EQ(run({0xc4, 0xe2, 0xf0, 0xf2, 0xc2}), RunExit::Budget);  // andn rax, rcx, rdx
}

TEST_F(Avx, Cr0TsAndCr4) {
  state().cr0 |= mmu::kCr0Em;  // no say
  state().cr4 &= ~mmu::kCr4Osfxsr;
  apply();
  EXPECT_EQ(run({0xc5, 0xf4, 0x58, 0xc2}), RunExit::Budget);
  state().cr0 |= mmu::kCr0Ts;
  apply();
  expect_fault({0xc5, 0xf4, 0x58, 0xc2}, kNM);
  state().xcr0 = 3;
  apply();
  expect_fault({0xc5, 0xf4, 0x58, 0xc2}, kUD);  // before #NM
}

TEST_F(Avx, UnmaskedExceptions) {
  state().mxcsr = 0x1f80 & ~0x80u;                       // IE unmasked
  state().ymm[1] = V256{{0, 0, 0, 0x7fa0000000000000}};  // a signalling NaN in the last element of 4 bytes
  expect_fault({0xc5, 0xf4, 0x58, 0xc2}, kXM);           // vaddps ymm0, ymm1, ymm2
  EXPECT_EQ(state().ymm[0], (V256{{0, 0x100, 0x200, 0x300}}));
  EXPECT_EQ(state().mxcsr & 1, 1u);
  EXPECT_EQ(run({0xc5, 0xf0, 0x58, 0xc2}), RunExit::Budget);  // the XMM form does not look there
  state().cr4 &= ~mmu::kCr4Osxmmexcpt;
  apply();
  expect_fault({0xc5, 0xf4, 0x58, 0xc2}, kUD);
}

TEST_F(Avx, NotInRealAddressMode) {
  enter_16bit();
  state().seg[CS].limit = 0xffffffff;
  state().cr4 = mmu::kCr4Osfxsr | mmu::kCr4Osxsave;
  state().xcr0 = 7;
  apply();
  expect_fault({0xc5, 0xf8, 0x77}, kUD);              // vzeroupper
  expect_fault({0xc4, 0xe2, 0x70, 0xf2, 0xc2}, kUD);  // andn eax, ecx, edx
}

TEST_F(Avx, ThirtyTwoBitModeHasEightRegisters) {
  enter_32bit_avx();
  for (unsigned i = 0; i < 16; ++i) state().ymm[i] = kNumbers;
  EXPECT_EQ(run({0xc5, 0xf8, 0x77}), RunExit::Budget);  // vzeroupper
  EXPECT_EQ(state().ymm[7], (V256{{1, 2, 0, 0}}));
  EXPECT_EQ(state().ymm[8], kNumbers);
  EXPECT_EQ(run({0xc5, 0xfc, 0x77}), RunExit::Budget);  // vzeroall
  EXPECT_EQ(state().ymm[7], V256{});
  EXPECT_EQ(state().ymm[15], kNumbers);
  // VEX.vvvv[3] and bit 7 of a register in imm8 do not count.
  state().ymm[2] = kNumbers;
  EXPECT_EQ(run({0xc4, 0xe1, 0x2c, 0x54, 0xc2}), RunExit::Budget);  // vandps ymm0, ymm2, ymm2 with vvvv = 10
  EXPECT_EQ(state().ymm[0], kNumbers);
  EXPECT_EQ(run({0xc4, 0xe3, 0x6d, 0x4b, 0xca, 0xa0}), RunExit::Budget);  // vblendvpd ymm1, ymm2, ymm2, ymm2
  EXPECT_EQ(state().ymm[1], kNumbers);
}

TEST_F(Avx, ThirtyTwoBitModeKeepsLdsAndLes) {
  enter_32bit_avx();
  poke<u32>(kData, 0x12345678);
  poke<u16>(kData + 4, 0);
  reg(RAX) = kData;
  EXPECT_NE(run({0xc5, 0x08}), RunExit::Fault);  // lds ecx, [eax]
  EXPECT_EQ(reg(RCX), 0x12345678u);
}

TEST_F(Avx, GathersHaveNo16BitAddresses) {
  enter_32bit_avx();
  state().ymm[1] = state().ymm[2] = V256{};
  expect_fault({0x67, 0xc4, 0xe2, 0x69, 0x90, 0x04, 0x08}, kUD);  // vpgatherdd xmm0, [si + xmm1], xmm2
  EXPECT_EQ(run({0xc4, 0xe2, 0x69, 0x90, 0x04, 0x08}),
            RunExit::Budget);  // vpgatherdd xmm0, [eax + xmm1], xmm2
}

TEST_F(Avx, GatherGoesOnWhereItFaulted) {
  const u64 hole = kData + kPageBytes;
  unmap(hole);
  for (u64 i = 0; i < 4; ++i) poke<u32>(hole - 8 + 4 * i, static_cast<u32>(0x10 + i));
  reg(RAX) = hole;
  constexpr u64 kOnes = ~u64{0};
  state().ymm[1] = V256{{u64{0xfffffffc} << 32 | 0xfffffff8, u64{4} << 32, 0, 0}};  // -8, -4, 0, 4
  state().ymm[2] = V256{{0x8000000080000000, 0x8000000080000000, kOnes, kOnes}};
  const std::initializer_list<u8> code = {0xc4, 0xe2, 0x69,
                                          0x90, 0x04, 0x08};  // vpgatherdd xmm0, [rax + xmm1], xmm2
  EXPECT_EQ(run(code), RunExit::Fault);
  EXPECT_EQ(cpu().fault.vector, kPF);
  EXPECT_EQ(cpu().fault.linear, hole);
  EXPECT_EQ(state().ymm[0], (V256{{u64{0x11} << 32 | 0x10, 0x100, 0, 0}}));
  EXPECT_EQ(state().ymm[2], (V256{{0, kOnes, 0, 0}}));
  map(hole, hole);
  EXPECT_EQ(run(code), RunExit::Budget);
  EXPECT_EQ(state().ymm[0], (V256{{u64{0x11} << 32 | 0x10, u64{0x13} << 32 | 0x12, 0, 0}}));
  EXPECT_EQ(state().ymm[2], V256{});
}

TEST_F(Avx, MaskedElementsDoNotFault) {
  const u64 hole = kData + kPageBytes;
  unmap(hole);
  reg(RAX) = hole - 4;
  poke<u32>(hole - 4, 0xabcd);
  state().ymm[1] = V256{{0x80000000, 0, 0, 0}};
  EXPECT_EQ(run({0xc4, 0xe2, 0x75, 0x2c, 0x00}), RunExit::Budget);  // vmaskmovps ymm0, ymm1, [rax]
  EXPECT_EQ(state().ymm[0], (V256{{0xabcd, 0, 0, 0}}));
  state().ymm[2] = V256{{0x1234, 0, 0, 0}};
  EXPECT_EQ(run({0xc4, 0xe2, 0x75, 0x2e, 0x10}), RunExit::Budget);  // vmaskmovps [rax], ymm1, ymm2
  EXPECT_EQ(peek<u32>(hole - 4), 0x1234u);
  // A store whose second element faults writes neither.
  state().ymm[1].qword[0] = 0x8000000080000000;
  state().ymm[2].qword[0] = 0x77;
  expect_fault({0xc4, 0xe2, 0x75, 0x2e, 0x10}, kPF, 2);
  EXPECT_EQ(peek<u32>(hole - 4), 0x1234u);
  // No element, no access: not even of an address that is not canonical.
  state().ymm[1] = V256{};
  reg(RAX) = u64{1} << 62;
  EXPECT_EQ(run({0xc4, 0xe2, 0x75, 0x2e, 0x10}), RunExit::Budget);
}

TEST_F(Avx, AlignedMovesOfYmmNeed32Bytes) {
  reg(RAX) = kData + 16;
  expect_fault({0xc5, 0xfc, 0x28, 0x00}, kGP);                // vmovaps ymm0, [rax]
  expect_fault({0xc5, 0xfd, 0xe7, 0x00}, kGP);                // vmovntdq [rax], ymm0
  expect_fault({0xc4, 0xe2, 0x7d, 0x2a, 0x00}, kGP);          // vmovntdqa ymm0, [rax]
  EXPECT_EQ(run({0xc5, 0xf8, 0x28, 0x00}), RunExit::Budget);  // vmovaps xmm0, [rax]
  EXPECT_EQ(run({0xc5, 0xfd, 0xfe, 0x00}), RunExit::Budget);  // vpaddd ymm0, ymm0, [rax]
  EXPECT_EQ(run({0xc5, 0xfe, 0x6f, 0x00}), RunExit::Budget);  // vmovdqu ymm0, [rax]
}

/// Which form needs which feature.
TEST_F(Avx, FormsFollowTheProfile) {
  const auto undefined_without = [](Feature feature, const std::vector<u8>& code) {
    CpuProfile profile = full_profile();
    profile.features.reset(static_cast<std::size_t>(feature));
    Insn insn;
    bool ends;
    constexpr u32 kMode = static_cast<u32>(CodeSize::Bits64) | ModeKey::kProtected | ModeKey::kFlatData |
                          ModeKey::kOsxsave | ModeKey::kAvx;
    EXPECT_EQ(Decoder(profile).decode(code, ModeKey{kMode}, 0, insn, ends), DecodeStatus::Ok);
    return insn.exec == raise_ud;
  };
  EXPECT_TRUE(undefined_without(Feature::Avx2, {0xc5, 0xf5, 0xfe, 0xc2}));         // vpaddd ymm
  EXPECT_FALSE(undefined_without(Feature::Avx2, {0xc5, 0xf1, 0xfe, 0xc2}));        // vpaddd xmm
  EXPECT_FALSE(undefined_without(Feature::Avx2, {0xc5, 0xf4, 0x58, 0xc2}));        // vaddps ymm
  EXPECT_TRUE(undefined_without(Feature::Avx2, {0xc4, 0xe2, 0x7d, 0x18, 0xc1}));   // vbroadcastss ymm0, xmm1
  EXPECT_FALSE(undefined_without(Feature::Avx2, {0xc4, 0xe2, 0x7d, 0x18, 0x00}));  // vbroadcastss ymm0, [rax]
  EXPECT_TRUE(undefined_without(Feature::Vaes, {0xc4, 0xe2, 0x75, 0xdc, 0xc2}));   // vaesenc ymm
  EXPECT_FALSE(undefined_without(Feature::Vaes, {0xc4, 0xe2, 0x71, 0xdc, 0xc2}));  // vaesenc xmm
  EXPECT_TRUE(undefined_without(Feature::Aes, {0xc4, 0xe2, 0x71, 0xdc, 0xc2}));
  EXPECT_TRUE(undefined_without(Feature::Vpclmulqdq, {0xc4, 0xe3, 0x75, 0x44, 0xc2, 0x00}));
  EXPECT_TRUE(undefined_without(Feature::F16c, {0xc4, 0xe2, 0x79, 0x13, 0xc1}));  // vcvtph2ps
  EXPECT_TRUE(undefined_without(Feature::Fma, {0xc4, 0xe2, 0x71, 0x98, 0xc2}));   // vfmadd132ps
  EXPECT_TRUE(undefined_without(Feature::Avx, {0xc5, 0xf8, 0x77}));               // vzeroupper
}

}  // namespace
}  // namespace reprise::test
