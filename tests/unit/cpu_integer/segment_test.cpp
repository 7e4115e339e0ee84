// cpu/core/operands.cpp: segment limits and types, #SS and #GP, #AC. SDM 3A 5.3, 5.5, 6.15.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class SegmentChecks : public CpuFixture {
 protected:
  SegmentChecks() { enter_32bit(); }
  Segment& seg(SegmentIndex index) { return state().seg[index]; }
};

TEST_F(SegmentChecks, LimitIsTheLastValidByte) {
  seg(DS).limit = 0x30003;
  apply();
  reg(RBX) = 0x30000;
  EXPECT_EQ(run({0x8b, 0x03}), RunExit::Budget);  // mov eax, [ebx]
  reg(RBX) = 0x30001;
  expect_fault({0x8b, 0x03}, kGP);
  EXPECT_EQ(run({0x8a, 0x43, 0x02}), RunExit::Budget);  // mov al, [ebx + 2]
}

TEST_F(SegmentChecks, StackSegmentGivesStackFault) {
  seg(SS).limit = 0x1ffff;
  apply();
  reg(RBP) = 0x1fffe;
  expect_fault({0x8b, 0x45, 0x00}, kSS);  // mov eax, [ebp]
  reg(RSP) = 0x20001;
  expect_fault({0x50}, kSS);  // push eax
  reg(RBX) = 0x1fffe;
  expect_fault({0x36, 0x8b, 0x03}, kSS);  // mov eax, ss:[ebx]
}

TEST_F(SegmentChecks, BaseIsAddedAndWrapsAt4GiB) {
  seg(FS).base = 0xffff'f000;
  seg(FS).limit = 0xffff'ffff;
  poke<u32>(kData, 0x1234'5678);
  reg(RBX) = kData + 0x1000;
  run({0x64, 0x8b, 0x03});  // mov eax, fs:[ebx]
  EXPECT_EQ(reg(RAX), 0x1234'5678u);
}

TEST_F(SegmentChecks, ExpandDown) {
  seg(DS).access |= Segment::kExpandDown;
  seg(DS).limit = 0x2ffff;
  apply();
  reg(RBX) = 0x2ffff;
  expect_fault({0x8a, 0x03}, kGP);  // mov al, [ebx]
  reg(RBX) = 0x30000;
  EXPECT_EQ(run({0x8a, 0x03}), RunExit::Budget);
  seg(DS).access &= static_cast<u16>(~Segment::kDb);  // upper bound FFFF
  apply();
  expect_fault({0x8a, 0x03}, kGP);
}

TEST_F(SegmentChecks, Types) {
  seg(DS).access &= static_cast<u16>(~Segment::kWritable);
  apply();
  reg(RBX) = kData;
  EXPECT_EQ(run({0x8b, 0x03}), RunExit::Budget);
  expect_fault({0x89, 0x03}, kGP);        // mov [ebx], eax
  expect_fault({0x2e, 0x89, 0x03}, kGP);  // mov cs:[ebx], eax
  EXPECT_EQ(run({0x2e, 0x8b, 0x03}), RunExit::Budget);
  seg(CS).access &= static_cast<u16>(~Segment::kReadable);
  apply();
  expect_fault({0x2e, 0x8b, 0x03}, kGP);
}

TEST_F(SegmentChecks, NullSegment) {
  seg(ES).access = Segment::kUnusable;
  apply();
  reg(RDI) = kData;
  expect_fault({0xaa}, kGP);              // stosb
  expect_fault({0x26, 0x8b, 0x07}, kGP);  // mov eax, es:[edi]
  enter_64bit();
  seg(DS).access = seg(ES).access = Segment::kUnusable;
  apply();
  reg(RDI) = kData;
  EXPECT_EQ(run({0xaa}), RunExit::Budget);
}

TEST_F(SegmentChecks, RealModeChecksOnlyTheLimit) {
  enter_16bit();
  seg(CS).base = kCode;
  apply();
  const auto run_at_zero = [this](std::vector<u8> code) {
    poke_bytes(kCode, code);
    state().rip = 0;
    return resume();
  };
  reg(RBX) = 0x300;
  EXPECT_EQ(run_at_zero({0x2e, 0x88, 0x07}), RunExit::Budget);  // mov cs:[bx], al
  reg(RBX) = 0xffff;
  EXPECT_EQ(run_at_zero({0x8a, 0x07}), RunExit::Budget);  // mov al, [bx]
  EXPECT_EQ(run_at_zero({0x8b, 0x07}), RunExit::Fault);   // mov ax, [bx]
  EXPECT_EQ(cpu().fault.vector, kGP);
}

TEST_F(SegmentChecks, AlignmentCheckAtCpl3) {
  enter_64bit(3);
  state().cr0 |= mmu::kCr0Am;
  rflags() |= kRflagsAc;
  apply();
  reg(RBX) = kData + 2;
  expect_fault({0x8b, 0x03}, kAC);                      // mov eax, [rbx]
  EXPECT_EQ(run({0x66, 0x8b, 0x03}), RunExit::Budget);  // mov ax, [rbx]
  expect_fault({0xd9, 0x33}, kAC);                      // fnstenv [rbx]
  expect_fault({0x0f, 0xae, 0x03}, kAC);                // fxsave [rbx]
  EXPECT_EQ(run({0x0f, 0x10, 0x03}), RunExit::Budget);  // movups xmm0, [rbx]
  reg(RBX) = kData + 8;
  expect_fault({0x0f, 0xae, 0x03}, kGP);  // fxsave [rbx]
  EXPECT_EQ(run({0xd9, 0x33}), RunExit::Budget);
  reg(RSP) = kStackTop + 4;
  expect_fault({0x50}, kAC);  // push rax
  reg(RBX) = (u64{1} << 62) + 1;
  expect_fault({0x8b, 0x03}, kGP);  // not canonical comes first
  unmap(kData);
  reg(RBX) = kData + 2;
  expect_fault({0x8b, 0x03}, kAC);  // before the page fault
}

}  // namespace
}  // namespace reprise::test
