// cpu/sem/bmi.cpp: what user mode on the host cannot show, and published examples.
#include "cpu/decode/decode.h"
#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class Bmi : public CpuFixture {
 protected:
  u64 status() { return rflags() & kRflagsStatus; }
};

TEST_F(Bmi, UndefinedFlagsAreCleared) {
  rflags() = kRflagsFixed | kRflagsStatus;
  reg(RCX) = 0x80;
  reg(RDX) = 0x90;
  run({0xc4, 0xe2, 0x70, 0xf2, 0xc2});  // andn eax, ecx, edx
  EXPECT_EQ(reg(RAX), 0x10u);
  EXPECT_EQ(status(), 0u);
  reg(RDX) = 0x0404;
  rflags() |= kRflagsStatus;
  run({0xc4, 0xe2, 0x68, 0xf7, 0xc1});  // bextr eax, ecx, edx
  EXPECT_EQ(reg(RAX), 8u);
  EXPECT_EQ(status(), 0u);
}

TEST_F(Bmi, BextrBeyondTheOperand) {
  reg(RCX) = ~u64{0};
  reg(RDX) = 0xff40;
  run({0xc4, 0xe2, 0xe8, 0xf7, 0xc1});  // bextr rax, rcx, rdx: from bit 64
  EXPECT_EQ(reg(RAX), 0u);
  reg(RDX) = 0xff3c;
  run({0xc4, 0xe2, 0xe8, 0xf7, 0xc1});
  EXPECT_EQ(reg(RAX), 0xfu);
}

TEST_F(Bmi, MulxWithOneDestinationKeepsTheHighHalf) {
  reg(RDX) = 0xffff'ffff'ffff'ffff;
  reg(RBX) = 16;
  rflags() = kRflagsFixed | kRflagsStatus;
  run({0xc4, 0xe2, 0xfb, 0xf6, 0xc3});  // mulx rax, rax, rbx
  EXPECT_EQ(reg(RAX), 15u);
  EXPECT_EQ(status(), kRflagsStatus);
}

TEST_F(Bmi, DepositAndExtractAreInverse) {
  reg(RCX) = 0xabcd;
  reg(RDX) = 0x0f0f'0f0f;
  run({0xc4, 0xe2, 0x73, 0xf5, 0xc2});  // pdep eax, ecx, edx
  EXPECT_EQ(reg(RAX), 0x0a0b'0c0du);
  reg(RCX) = reg(RAX) | 0xf0f0'f0f0;
  run({0xc4, 0xe2, 0x72, 0xf5, 0xc2});  // pext eax, ecx, edx
  EXPECT_EQ(reg(RAX), 0xabcdu);
}

TEST_F(Bmi, CarryChainsAreIndependent) {
  rflags() = kRflagsFixed | kRflagsOf;
  reg(RAX) = 0xffff'ffff;
  reg(RCX) = 1;
  run({0x66, 0x0f, 0x38, 0xf6, 0xc1});  // adcx eax, ecx
  EXPECT_EQ(reg(RAX), 0u);
  EXPECT_EQ(status(), kRflagsCf | kRflagsOf);
  run({0xf3, 0x0f, 0x38, 0xf6, 0xc1});  // adox eax, ecx: takes OF in, none comes out
  EXPECT_EQ(reg(RAX), 2u);
  EXPECT_EQ(status(), kRflagsCf);
}

TEST_F(Bmi, MovbeOfWordsKeepsTheRest) {
  reg(RBX) = kData;
  poke<u16>(kData, 0x1234);
  reg(RAX) = ~u64{0};
  run({0x66, 0x0f, 0x38, 0xf0, 0x03});  // movbe ax, [rbx]
  EXPECT_EQ(reg(RAX), 0xffff'ffff'ffff'3412u);
}

TEST_F(Bmi, PrefixesAndVectorLengthThatDoNotExist) {
  expect_fault({0xc4, 0xe2, 0x74, 0xf2, 0xc2}, kUD);        // andn, VEX.L = 1
  expect_fault({0x66, 0xc4, 0xe2, 0x70, 0xf2, 0xc2}, kUD);  // 66
  expect_fault({0xf3, 0xc4, 0xe2, 0x70, 0xf2, 0xc2}, kUD);  // F3
  expect_fault({0xf0, 0xc4, 0xe2, 0x70, 0xf2, 0xc2}, kUD);  // LOCK
  expect_fault({0x48, 0xc4, 0xe2, 0x70, 0xf2, 0xc2}, kUD);  // REX
  expect_fault({0xc4, 0xe3, 0x73, 0xf0, 0xc2, 0x05}, kUD);  // rorx with a register in VEX.vvvv
  expect_fault({0xc4, 0xe1, 0x7a, 0xb8, 0xc1}, kUD);        // popcnt eax, ecx of Knights Corner
  expect_fault({0xc4, 0xe1, 0x7a, 0xbc, 0xc1}, kUD);        // tzcnt eax, ecx of Knights Corner
  expect_fault({0x0f, 0x38, 0xf0, 0xc1}, kUD);              // movbe between registers
  expect_fault({0xf0, 0x66, 0x0f, 0x38, 0xf6, 0xc1}, kUD);  // lock adcx
}

TEST_F(Bmi, VexNeedsProtectedMode) {
  enter_16bit();
  state().seg[CS].base = kCode;
  apply();
  const auto run_at_zero = [this](std::initializer_list<u8> code) {
    poke_bytes(kCode, std::vector<u8>(code));
    state().rip = 0;
    return resume();
  };
  EXPECT_EQ(run_at_zero({0xc4, 0xe2, 0x70, 0xf2, 0xc2}), RunExit::Fault);  // andn eax, ecx, edx
  EXPECT_EQ(cpu().fault.vector, kUD);
  reg(RCX) = 8;
  EXPECT_EQ(run_at_zero({0xf3, 0x0f, 0xbc, 0xc1}), RunExit::Budget);  // tzcnt ax, cx
  EXPECT_EQ(reg(RAX), 3u);
}

TEST_F(Bmi, OutsideSixtyFourBitModeVexWHasNoMeaning) {
  enter_32bit();
  reg(RCX) = 0;
  reg(RDX) = 0xffff'ffff;
  run({0xc4, 0xe2, 0xf0, 0xf2, 0xc2});  // andn eax, ecx, edx
  EXPECT_EQ(reg(RAX), 0xffff'ffffu);
  EXPECT_EQ(status(), kRflagsSf);
}

TEST_F(Bmi, RdpidReadsTscAux) {
  enter_64bit(3);
  state().cr4 |= mmu::kCr4Tsd;
  apply();
  state().tsc_aux = 0x1234;
  reg(RAX) = ~u64{0};
  EXPECT_EQ(run({0xf3, 0x0f, 0xc7, 0xf8}), RunExit::Budget);  // rdpid rax
  EXPECT_EQ(reg(RAX), 0x1234u);
}

/// What `bytes` are in 64-bit mode when everything but `missing` is offered.
Insn decode_without(Feature missing, std::initializer_list<u8> bytes) {
  CpuProfile profile = full_profile();
  profile.features.reset(static_cast<std::size_t>(missing));
  const Decoder decoder(profile);
  u8 padded[15] = {};
  std::copy(bytes.begin(), bytes.end(), padded);
  Insn insn;
  bool ends;
  const ModeKey mode{static_cast<u32>(CodeSize::Bits64) | ModeKey::kProtected | ModeKey::kOsfxsr};
  EXPECT_EQ(decoder.decode(padded, mode, 0, insn, ends), DecodeStatus::Ok);
  return insn;
}

TEST(BmiProfile, WhatIsNotOfferedDoesNotExist) {
  const auto undefined = [](Feature missing, std::initializer_list<u8> bytes) {
    return decode_without(missing, bytes).exec == raise_ud &&
           decode_without(Feature::Base, bytes).exec != raise_ud;
  };
  EXPECT_TRUE(undefined(Feature::Bmi1, {0xc4, 0xe2, 0x70, 0xf2, 0xc2}));        // andn
  EXPECT_TRUE(undefined(Feature::Bmi2, {0xc4, 0xe3, 0x7b, 0xf0, 0xc2, 0x05}));  // rorx
  EXPECT_TRUE(undefined(Feature::Movbe, {0x0f, 0x38, 0xf0, 0x01}));
  EXPECT_TRUE(undefined(Feature::Adx, {0x66, 0x0f, 0x38, 0xf6, 0xc1}));
  EXPECT_TRUE(undefined(Feature::Sha, {0x0f, 0x38, 0xcb, 0xc1}));
  EXPECT_TRUE(undefined(Feature::Rdpid, {0xf3, 0x0f, 0xc7, 0xf8}));
  EXPECT_TRUE(undefined(Feature::Serialize, {0x0f, 0x01, 0xe8}));
  EXPECT_TRUE(undefined(Feature::Clflushopt, {0x66, 0x0f, 0xae, 0x39}));
  EXPECT_TRUE(undefined(Feature::Clwb, {0x66, 0x0f, 0xae, 0x31}));
}

TEST(BmiProfile, CountsBecomeScans) {
  EXPECT_EQ(decode_without(Feature::Lzcnt, {0xf3, 0x0f, 0xbd, 0xc1}).mnemonic, Mnemonic::BSR);
  EXPECT_EQ(decode_without(Feature::Bmi1, {0xf3, 0x0f, 0xbc, 0xc1}).mnemonic, Mnemonic::BSF);
  EXPECT_EQ(decode_without(Feature::Base, {0xf3, 0x0f, 0xbd, 0xc1}).mnemonic, Mnemonic::LZCNT);
  EXPECT_EQ(decode_without(Feature::Base, {0xf3, 0x0f, 0xbc, 0xc1}).mnemonic, Mnemonic::TZCNT);
}

}  // namespace
}  // namespace reprise::test
