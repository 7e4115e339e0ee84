// cpu/sem/io.cpp.
#include <algorithm>
#include <numeric>

#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;
using Access = FakeCpuBus::PortAccess;

class PortIo : public CpuFixture {
 protected:
  static constexpr u64 kTss = 0x50000;
  void set_tss(u32 limit, u16 bitmap_base) {
    state().tr = {.base = kTss, .limit = limit, .selector = 0x40, .access = Segment::kPresent | 0xb};
    poke<u16>(kTss + 0x66, bitmap_base);
  }
  /// Goes on until `retired` instructions have retired.
  void finish(u64 retired) {
    for (int i = 0; i < 10 && state().retired < retired; ++i) resume(retired - state().retired);
    EXPECT_EQ(state().retired, retired);
  }
};

TEST_F(PortIo, InAndOutStopTheEngineWhenSomethingWaits) {
  cpu().stop_requested = true;
  reg(RAX) = ~u64{0};
  EXPECT_EQ(run({0xe4, 0x80, 0x90}, 2), RunExit::Event);  // in al, 80h
  EXPECT_EQ(reg(RAX), 0xffff'ffff'ffff'ff44u);
  EXPECT_EQ(state().rip, kCode + 2);
  EXPECT_EQ(state().retired, 1u);
  reg(RDX) = 0xffff'0cf8;
  EXPECT_EQ(run({0xef}, 2), RunExit::Event);  // out dx, eax
  EXPECT_EQ(run({0xed}, 2), RunExit::Event);  // in eax, dx
  EXPECT_EQ(reg(RAX), 0x1122'3345u);
  const std::vector<Access> expected = {{false, 0x80, Width::Byte, 0x1122'3344},
                                        {true, 0xcf8, Width::Dword, 0xffff'ff44},
                                        {false, 0xcf8, Width::Dword, 0x1122'3345}};
  EXPECT_EQ(bus.accesses, expected);
}

TEST_F(PortIo, RepInsRunsOneIterationAtATimeWhenSomethingWaits) {
  cpu().stop_requested = true;
  reg(RDX) = 0x1f0;
  reg(RDI) = kData;
  reg(RCX) = 2;
  EXPECT_EQ(run({0xf3, 0x66, 0x6d}, 10), RunExit::Event);  // rep insw
  EXPECT_EQ(state().rip, kCode);
  EXPECT_EQ(state().retired, 1u);
  EXPECT_EQ(resume(10), RunExit::Event);
  EXPECT_EQ(state().rip, kCode + 3);
  EXPECT_EQ(state().retired, 2u);
  EXPECT_EQ(peek<u32>(kData), 0x3345'3344u);
  EXPECT_EQ(reg(RDI), kData + 4);
}

TEST_F(PortIo, RepInsTakesWhatTheDeviceGivesAhead) {
  bus.ahead_bytes = 400;
  bus.next_read = 0x1000;
  reg(RDX) = 0x1f0;
  reg(RDI) = kData;
  reg(RCX) = 256;
  run({0xf3, 0x66, 0x6d}, 256);  // rep insw
  finish(256);
  EXPECT_EQ(state().rip, kCode + 3);
  EXPECT_EQ(reg(RCX), 0u);
  EXPECT_EQ(reg(RDI), kData + 512);
  for (u64 i = 0; i < 256; ++i) ASSERT_EQ(peek<u16>(kData + 2 * i), 0x1000 + i);
  EXPECT_EQ(std::accumulate(bus.aheads.begin(), bus.aheads.end(), std::size_t{0}), 400u);
  EXPECT_EQ(bus.accesses.size(), 56u);
}

TEST_F(PortIo, RepInsAheadKeepsToTheBudget) {
  bus.ahead_bytes = 1000;
  bus.next_read = 0;
  reg(RDX) = 0x1f0;
  reg(RDI) = kData;
  reg(RCX) = 100;
  run({0xf3, 0x66, 0x6d}, 40);
  finish(40);
  EXPECT_EQ(state().rip, kCode);
  EXPECT_EQ(reg(RCX), 60u);
  EXPECT_EQ(peek<u16>(kData + 2 * 39), 39);
  finish(100);
  EXPECT_EQ(peek<u16>(kData + 2 * 99), 99);
}

TEST_F(PortIo, RepInsAheadStopsAtAPageThatFaults) {
  unmap(kData + 0x1000);
  bus.ahead_bytes = 1000;
  bus.next_read = 0;
  reg(RDX) = 0x1f0;
  reg(RDI) = kData + 0x1000 - 20;
  reg(RCX) = 100;
  EXPECT_EQ(run({0xf3, 0x66, 0x6d}, 1000), RunExit::Fault);
  EXPECT_EQ(state().retired, 10u) << "whole iterations stay done";
  EXPECT_EQ(reg(RCX), 90u);
  EXPECT_EQ(reg(RDI), kData + 0x1000);
  EXPECT_EQ(bus.next_read, 10u) << "no element is lost";
}

TEST_F(PortIo, RepInsTakesNothingAheadWhenSomethingWaits) {
  cpu().stop_requested = true;
  bus.ahead_bytes = 1000;
  reg(RDX) = 0x1f0;
  reg(RDI) = kData;
  reg(RCX) = 100;
  EXPECT_EQ(run({0xf3, 0x66, 0x6d}, 1000), RunExit::Event);
  EXPECT_EQ(state().retired, 1u);
  EXPECT_TRUE(bus.aheads.empty());
}

TEST_F(PortIo, RepOutsGivesAhead) {
  bus.ahead_bytes = 30;
  for (u64 i = 0; i < 40; ++i) poke<u8>(kData + i, static_cast<u8>(i));
  reg(RDX) = 0x1f0;
  reg(RSI) = kData;
  reg(RCX) = 10;
  run({0xf3, 0x6f}, 10);  // rep outsd
  finish(10);
  EXPECT_EQ(reg(RSI), kData + 40);
  std::vector<u8> seen = bus.written_ahead;
  for (const Access& access : bus.accesses)
    for (unsigned i = 0; i < 4; ++i) seen.push_back(static_cast<u8>(access.value >> (8 * i)));
  EXPECT_EQ(bus.aheads.size(), 1u);
  std::ranges::sort(seen);
  for (u64 i = 0; i < 40; ++i) EXPECT_EQ(seen[i], i);
}

TEST_F(PortIo, RepOutsWithZeroCountDoesNothing) {
  reg(RCX) = 0;
  EXPECT_EQ(run({0xf3, 0x6e}), RunExit::Budget);  // rep outsb
  EXPECT_TRUE(bus.accesses.empty());
}

TEST_F(PortIo, InsDoesNotReadThePortWhenMemoryFaults) {
  unmap(kData);
  reg(RDX) = 0x1f0;
  reg(RDI) = kData;
  expect_fault({0x6c}, kPF, mmu::kPfW);  // insb
  EXPECT_TRUE(bus.accesses.empty());
}

TEST_F(PortIo, IoplLetsUserCodeIn) {
  enter_64bit(3);
  rflags() |= kRflagsIopl;
  apply();
  EXPECT_EQ(run({0xe4, 0x80}), RunExit::Event);
}

TEST_F(PortIo, BitmapDecidesForUserCode) {
  enter_64bit(3);
  set_tss(0x68 + 0x20, 0x68);
  poke<u8>(kTss + 0x68 + 0x10, 0b0000'0010);  // port 81h denied
  EXPECT_EQ(run({0xe4, 0x80}), RunExit::Event);
  expect_fault({0xe4, 0x81}, kGP);
  expect_fault({0xe5, 0x80}, kGP);  // in eax, 80h: covers 81h
  reg(RDX) = 0xff;
  EXPECT_EQ(run({0xec}), RunExit::Event);  // its second byte is the last one in the TSS
  reg(RDX) = 0x100;
  expect_fault({0xec}, kGP);  // beyond the limit
}

TEST_F(PortIo, TssWithoutRoomForABitmapDenies) {
  enter_64bit(3);
  set_tss(0x67, 0x68);
  expect_fault({0xe4, 0x80}, kGP);
}

TEST_F(PortIo, SixteenBitTssDenies) {
  enter_64bit(3);
  set_tss(0x2000, 0x68);
  state().tr.access = Segment::kPresent | 3;
  expect_fault({0xe4, 0x80}, kGP);
}

}  // namespace
}  // namespace reprise::test
