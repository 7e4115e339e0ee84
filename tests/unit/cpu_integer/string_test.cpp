// cpu/sem/string.cpp: single forms, REP semantics, faults and overlap. Budgets: string_budget_test.cpp.
#include "tests/unit/cpu_fixture.h"

namespace reprise::test {
namespace {

using namespace reprise::cpu;

class Strings : public CpuFixture {
 protected:
  /// Fills bytes at `phys` with 0, 1, 2, ...
  void count_up(u64 phys, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) poke<u8>(phys + i, static_cast<u8>(i));
  }
};

TEST_F(Strings, SingleMovsGoesEitherWay) {
  count_up(kData, 16);
  reg(RSI) = kData + 8;
  reg(RDI) = kData + 0x100;
  run({0x48, 0xa5});  // movsq
  EXPECT_EQ(peek<u64>(kData + 0x100), peek<u64>(kData + 8));
  EXPECT_EQ(reg(RSI), kData + 16);
  EXPECT_EQ(reg(RDI), kData + 0x108);
  rflags() |= kRflagsDf;
  run({0x66, 0xa5});  // movsw
  EXPECT_EQ(reg(RSI), kData + 14);
  EXPECT_EQ(reg(RDI), kData + 0x106);
}

TEST_F(Strings, RepMovsAcrossPagesCountsEveryIteration) {
  count_up(kData, 0x3000);
  reg(RSI) = kData + 5;
  reg(RDI) = kData + 0x8003;
  reg(RCX) = 0x2345;
  EXPECT_EQ(run({0xf3, 0xa4, 0x90}, 0x2346), RunExit::Budget);  // rep movsb; nop
  EXPECT_EQ(state().rip, kCode + 3);
  EXPECT_EQ(state().retired, 0x2346u);
  EXPECT_EQ(reg(RCX), 0u);
  EXPECT_EQ(reg(RSI), kData + 5 + 0x2345);
  for (u64 i = 0; i < 0x2345; ++i) ASSERT_EQ(peek<u8>(kData + 0x8003 + i), peek<u8>(kData + 5 + i)) << i;
}

// RF belongs to an event between iterations: without one it is clear, in whatever pieces the instruction ran.
TEST_F(Strings, RepeatedAcrossCodePagesLeavesNoResumeFlag) {
  poke_bytes(kCode + 0xfff, std::vector<u8>{0xf3, 0xa4, 0x90, 0x90});  // rep movsb; nop; nop
  for (const u64 slice : {5u, 1u, 2u, 3u}) {
    state().rip = kCode + 0xfff;
    reg(RSI) = kData;
    reg(RDI) = kData + 0x100;
    reg(RCX) = 3;
    for (u64 done = 0; done < 5; done += slice) resume(std::min<u64>(slice, 5 - done));
    EXPECT_EQ(state().rip, kCode + 0x1003);
    EXPECT_EQ(rflags() & kRflagsRf, 0u) << slice;
  }
}

TEST_F(Strings, OverlapForwardReplicates) {
  for (unsigned distance = 1; distance < 20; ++distance) {
    for (unsigned width : {1u, 2u, 4u, 8u}) {
      count_up(kData, 256);
      std::vector<u8> expected(256);
      for (unsigned i = 0; i < 256; ++i) expected[i] = static_cast<u8>(i);
      for (unsigned i = 0; i < 96 / width; ++i) {
        std::vector<u8> element(expected.begin() + i * width, expected.begin() + (i + 1) * width);
        std::copy(element.begin(), element.end(), expected.begin() + i * width + distance);
      }
      reg(RSI) = kData;
      reg(RDI) = kData + distance;
      reg(RCX) = 96 / width;
      const u8 prefix = width == 2 ? 0x66 : width == 8 ? 0x48 : 0x3e;
      if (prefix == 0x48) {
        run({0xf3, 0x48, 0xa5}, 96 / width);
      } else {
        run({prefix, 0xf3, static_cast<u8>(width == 1 ? 0xa4 : 0xa5)}, 96 / width);
      }
      for (unsigned i = 0; i < 256; ++i)
        ASSERT_EQ(peek<u8>(kData + i), expected[i]) << distance << ' ' << width << ' ' << i;
    }
  }
}

TEST_F(Strings, OverlapBackwardReplicatesDownwards) {
  count_up(kData, 64);
  rflags() |= kRflagsDf;
  reg(RSI) = kData + 40;
  reg(RDI) = kData + 39;
  reg(RCX) = 40;
  run({0xf3, 0xa4}, 40);
  for (unsigned i = 0; i < 40; ++i) ASSERT_EQ(peek<u8>(kData + i), 40) << i;
}

TEST_F(Strings, OneFrameUnderTwoAddressesOverlapsToo) {
  map(0x40000, kData);
  count_up(kData, 64);
  reg(RSI) = kData;
  reg(RDI) = 0x40001;
  reg(RCX) = 32;
  run({0xf3, 0xa4}, 32);
  for (unsigned i = 0; i <= 32; ++i) ASSERT_EQ(peek<u8>(kData + i), 0) << i;
}

TEST_F(Strings, RepStosFills) {
  reg(RDI) = kData + 1;
  reg(RCX) = 1000;
  reg(RAX) = 0x1122'3344'5566'7788;
  run({0xf3, 0x48, 0xab}, 1000);  // rep stosq
  for (u64 i = 0; i < 1000; ++i) ASSERT_EQ(peek<u64>(kData + 1 + 8 * i), reg(RAX)) << i;
  EXPECT_EQ(peek<u8>(kData), 0u);
  EXPECT_EQ(peek<u8>(kData + 8001), 0u);
}

TEST_F(Strings, RepStosBackward) {
  reg(RDI) = kData + 0x1002;
  reg(RCX) = 3;
  reg(RAX) = 0xabcd;
  rflags() |= kRflagsDf;
  run({0xf3, 0x66, 0xab}, 3);  // rep stosw
  EXPECT_EQ(reg(RDI), kData + 0xffc);
  EXPECT_EQ(peek<u64>(kData + 0xffc), 0xabcd'abcd'abcd'0000u);
}

TEST_F(Strings, FaultKeepsWholeIterations) {
  unmap(kData + 0x1000);
  reg(RDI) = kData + 0xff0;
  reg(RCX) = 100;
  reg(RAX) = 0x5a;
  EXPECT_EQ(run({0xf3, 0xaa}, 100), RunExit::Fault);  // rep stosb
  EXPECT_EQ(cpu().fault.vector, kPF);
  EXPECT_EQ(cpu().fault.linear, kData + 0x1000);
  EXPECT_EQ(state().rip, kCode);
  EXPECT_EQ(reg(RCX), 84u);
  EXPECT_EQ(reg(RDI), kData + 0x1000);
  EXPECT_EQ(state().retired, 16u);
  EXPECT_EQ(peek<u8>(kData + 0xfff), 0x5au);
}

TEST_F(Strings, ZeroCountIsOneInstructionAndTouchesNothing) {
  unmap(kData);
  reg(RSI) = reg(RDI) = kData;
  reg(RCX) = 0;
  rflags() = kRflagsFixed | kRflagsCf;
  EXPECT_EQ(run({0xf3, 0xa6}), RunExit::Budget);  // repe cmpsb
  EXPECT_EQ(state().retired, 1u);
  EXPECT_EQ(rflags(), kRflagsFixed | kRflagsCf);
}

TEST_F(Strings, ZeroCountWith32BitAddressesClearsUpperHalves) {
  reg(RSI) = reg(RDI) = 0x1'0000'0000 | kData;
  reg(RCX) = 0x1'0000'0000;
  run({0x67, 0xf3, 0xa4});  // rep movsb [edi], [esi]
  EXPECT_EQ(reg(RCX), 0u);
  EXPECT_EQ(reg(RSI), kData);
  EXPECT_EQ(reg(RDI), kData);
}

TEST_F(Strings, RepeCmpsStopsAtTheDifference) {
  count_up(kData, 0x100);
  count_up(kData + 0x1000, 0x100);
  poke<u8>(kData + 0x1000 + 0x37, 0);
  reg(RSI) = kData;
  reg(RDI) = kData + 0x1000;
  reg(RCX) = 0x100;
  run({0xf3, 0xa6}, 0x38);
  EXPECT_EQ(state().rip, kCode + 2);
  EXPECT_EQ(reg(RCX), 0x100u - 0x38);
  EXPECT_EQ(reg(RSI), kData + 0x38);
  EXPECT_EQ(rflags() & kRflagsStatus, 0u);  // 37 - 00
}

TEST_F(Strings, RepneScasFindsTheByte) {
  count_up(kData, 0x100);
  reg(RDI) = kData + 0x10;
  reg(RCX) = 0x1000;
  reg(RAX) = 0x80;
  run({0xf2, 0xae}, 0x71);
  EXPECT_EQ(state().rip, kCode + 2);
  EXPECT_EQ(reg(RDI), kData + 0x81);
  EXPECT_EQ(reg(RCX), 0x1000u - 0x71);
  EXPECT_EQ(rflags() & kRflagsZf, kRflagsZf);
}

TEST_F(Strings, RepneScasLooksAcrossPages) {
  std::vector<u8> zeros(0x2000);
  poke_bytes(kData, zeros);
  poke<u8>(kData + 0x1234, 7);
  reg(RDI) = kData + 1;
  reg(RCX) = ~u64{0};
  reg(RAX) = 7;
  run({0xf2, 0xae}, 0x1234);
  EXPECT_EQ(state().rip, kCode + 2);
  EXPECT_EQ(reg(RDI), kData + 0x1235);
}

TEST_F(Strings, CompareFlagsShowOnlyWhenTheInstructionCompletes) {
  unmap(kData + 0x1000);
  reg(RSI) = kData + 0x100;
  reg(RDI) = kData + 0xffe;
  reg(RCX) = 10;
  rflags() = kRflagsFixed | kRflagsCf | kRflagsSf;
  EXPECT_EQ(run({0xf3, 0xa6}, 10), RunExit::Fault);
  EXPECT_EQ(reg(RCX), 8u);
  EXPECT_EQ(rflags() & kRflagsStatus, kRflagsCf | kRflagsSf);
  reg(RDI) = kData;
  EXPECT_EQ(run({0xf3, 0xa6}, 3), RunExit::Budget);
  EXPECT_EQ(reg(RCX), 5u);
  EXPECT_EQ(rflags() & kRflagsStatus, kRflagsCf | kRflagsSf);
}

TEST_F(Strings, LodsAndXlat) {
  count_up(kData, 16);
  reg(RSI) = kData + 4;
  run({0xad});  // lodsd
  EXPECT_EQ(reg(RAX), 0x0706'0504u);
  reg(RBX) = kData;
  reg(RAX) = 0xff0b;
  run({0xd7});  // xlat
  EXPECT_EQ(reg(RAX), 0xff0bu);
}

TEST_F(Strings, SourceSegmentOverride) {
  state().seg[GS].base = 0x1000;
  apply();
  poke<u8>(kData + 0x1000, 0x77);
  reg(RSI) = kData;
  reg(RDI) = kData + 0x10;
  run({0x65, 0xa4});  // movsb [rdi], gs:[rsi]
  EXPECT_EQ(peek<u8>(kData + 0x10), 0x77u);
}

TEST_F(Strings, RealModeIndexesWrapAt64KiB) {
  enter_16bit();
  state().seg[CS].base = kCode;
  state().seg[ES].base = kData;
  apply();
  poke_bytes(kCode, std::vector<u8>{0xf3, 0xaa});  // rep stosb
  state().rip = 0;
  reg(RDI) = 0x1234'fffe;
  reg(RCX) = 0x5555'0004;
  reg(RAX) = 0x42;
  resume(4);
  EXPECT_EQ(reg(RDI), 0x1234'0002u);
  EXPECT_EQ(reg(RCX), 0x5555'0000u);
  EXPECT_EQ(peek<u8>(kData + 0xffff), 0x42u);
  EXPECT_EQ(peek<u8>(kData + 1), 0x42u);
  EXPECT_EQ(peek<u8>(kData + 2), 0u);
}

TEST_F(Strings, StoreToItsOwnCodeStopsTheLoop) {
  // rep stosb overwrites the instruction after it; the new one runs.
  reg(RDI) = kCode + 2;
  reg(RCX) = 3;
  reg(RAX) = 0xf9;
  EXPECT_EQ(run({0xf3, 0xaa, 0x90, 0x90, 0x90}, 1), RunExit::Event);
  EXPECT_EQ(reg(RCX), 2u);
  EXPECT_EQ(state().rip, kCode);
  resume(1);
  resume(1);
  EXPECT_EQ(state().rip, kCode + 2);
  resume(1);
  EXPECT_EQ(rflags() & kRflagsCf, kRflagsCf);
}

}  // namespace
}  // namespace reprise::test
