#include "devices/dma/dma8237.h"

#include <map>

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

/// Memory of the 16 MiB that ISA DMA reaches, as written.
class FakeMemory final : public DmaPort {
 public:
  bool dma_read(u64 phys, std::span<u8> into) override {
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = bytes[phys + i];
    return true;
  }
  bool dma_write(u64 phys, std::span<const u8> from) override {
    for (std::size_t i = 0; i < from.size(); ++i) bytes[phys + i] = from[i];
    return true;
  }
  std::map<u64, u8> bytes;
};

constexpr u8 kToMemory = 0x44;    // single, write
constexpr u8 kFromMemory = 0x48;  // single, read
constexpr u8 kDecrement = 0x20;
constexpr u8 kAutoInitialize = 0x10;

class DmaTest : public ::testing::Test {
 protected:
  DmaTest() {
    dma.reset(ResetKind::PowerOn);
    dma.enter_cascade_mode();
  }
  /// Programs channel 2 as a floppy driver does.
  void program(u8 mode, u32 phys, u32 bytes) {
    out8(dma.byte_ports(), 0x0a, 0x06);
    out8(dma.byte_ports(), 0x0c, 0);
    out8(dma.byte_ports(), 0x0b, mode | 2u);
    out8(dma.byte_ports(), 0x04, phys);
    out8(dma.byte_ports(), 0x04, phys >> 8);
    out8(dma.page_ports(), 0x01, phys >> 16);
    out8(dma.byte_ports(), 0x05, bytes - 1);
    out8(dma.byte_ports(), 0x05, (bytes - 1) >> 8);
    out8(dma.byte_ports(), 0x0a, 0x02);
  }
  u16 word(u16 port) {
    out8(dma.byte_ports(), 0x0c, 0);
    const u16 low = in8(dma.byte_ports(), port);
    return static_cast<u16>(low | in8(dma.byte_ports(), port) << 8);
  }

  FakeMemory memory;
  Dma8237Pair dma{memory};
  IsaDmaChannel channel2{dma, 2};
};

std::vector<u8> counting(std::size_t count) {
  std::vector<u8> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<u8>(i);
  return bytes;
}

TEST_F(DmaTest, WritesMemoryUpToTheTerminalCount) {
  program(kToMemory, 0x12345, 512);
  auto transfer = channel2.to_memory(counting(500));
  EXPECT_EQ(transfer.bytes, 500u);
  EXPECT_FALSE(transfer.terminal_count);
  EXPECT_EQ(word(0x04), 0x2345 + 500);
  EXPECT_EQ(word(0x05), 11);
  transfer = channel2.to_memory(counting(500));
  EXPECT_EQ(transfer.bytes, 12u);
  EXPECT_TRUE(transfer.terminal_count);
  EXPECT_EQ(memory.bytes.size(), 512u);
  EXPECT_EQ(memory.bytes[0x12345 + 501], 1);
  EXPECT_EQ(in8(dma.byte_ports(), 0x08), 0x04);
  EXPECT_EQ(in8(dma.byte_ports(), 0x08), 0x00) << "a read of the status clears it";
  EXPECT_EQ(in8(dma.byte_ports(), 0x0f) & 0x0f, 0x0f) << "masked by the terminal count";
  EXPECT_EQ(channel2.to_memory(counting(1)).bytes, 0u);
}

TEST_F(DmaTest, ReadsMemory) {
  for (unsigned i = 0; i < 8; ++i) memory.bytes[0xa0000 + i] = static_cast<u8>(0x10 + i);
  program(kFromMemory, 0xa0000, 8);
  std::array<u8, 4> bytes{};
  EXPECT_FALSE(channel2.from_memory(bytes).terminal_count);
  EXPECT_EQ(bytes, (std::array<u8, 4>{0x10, 0x11, 0x12, 0x13}));
  EXPECT_TRUE(channel2.from_memory(bytes).terminal_count);
  EXPECT_EQ(bytes, (std::array<u8, 4>{0x14, 0x15, 0x16, 0x17}));
}

TEST_F(DmaTest, AddressesWrapWithinThePage) {
  program(kToMemory, 0x3fffe, 4);
  EXPECT_TRUE(channel2.to_memory(counting(4)).terminal_count);
  EXPECT_EQ(memory.bytes[0x3ffff], 1);
  EXPECT_EQ(memory.bytes[0x30000], 2);
  EXPECT_EQ(memory.bytes.count(0x40000), 0u);
}

TEST_F(DmaTest, AddressesCanCountDown) {
  program(kToMemory | kDecrement, 0x30001, 3);
  EXPECT_TRUE(channel2.to_memory(counting(3)).terminal_count);
  EXPECT_EQ(memory.bytes[0x30001], 0);
  EXPECT_EQ(memory.bytes[0x30000], 1);
  EXPECT_EQ(memory.bytes[0x3ffff], 2);
}

TEST_F(DmaTest, AutoInitializeStartsOver) {
  program(kToMemory | kAutoInitialize, 0x1000, 16);
  const auto transfer = channel2.to_memory(counting(64));
  EXPECT_EQ(transfer.bytes, 16u) << "the device learns of the terminal count";
  EXPECT_TRUE(transfer.terminal_count);
  EXPECT_EQ(word(0x04), 0x1000);
  EXPECT_EQ(word(0x05), 15);
  EXPECT_EQ(channel2.to_memory(counting(8)).bytes, 8u) << "not masked";
}

TEST_F(DmaTest, WholeCountIs64KiB) {
  program(kToMemory, 0x50000, 0x10000);
  const auto transfer = channel2.to_memory(std::vector<u8>(0x20000));
  EXPECT_EQ(transfer.bytes, 0x10000u);
  EXPECT_TRUE(transfer.terminal_count);
}

TEST_F(DmaTest, WordChannels) {
  out8(dma.word_ports(), 0xd6 - 0xc0, kToMemory | 1);
  out8(dma.word_ports(), 0xc4 - 0xc0, 0xff);
  out8(dma.word_ports(), 0xc4 - 0xc0, 0xff);  // word address FFFFh
  out8(dma.page_ports(), 0x0b, 0x13);         // bit 0 does not count
  out8(dma.word_ports(), 0xc6 - 0xc0, 0x01);
  out8(dma.word_ports(), 0xc6 - 0xc0, 0x00);
  out8(dma.word_ports(), 0xd4 - 0xc0, 0x01);
  const auto transfer = dma.dma_to_memory(5, counting(7));
  EXPECT_EQ(transfer.bytes, 4u);
  EXPECT_TRUE(transfer.terminal_count);
  EXPECT_EQ(memory.bytes[0x13ffff], 1);
  EXPECT_EQ(memory.bytes[0x120000], 2) << "128 KiB wrap";
  EXPECT_EQ(in8(dma.word_ports(), 0xd0 - 0xc0), 0x02);
}

TEST_F(DmaTest, WhatStopsAChannel) {
  program(kToMemory, 0x1000, 16);
  out8(dma.byte_ports(), 0x08, 0x04);
  EXPECT_EQ(channel2.to_memory(counting(1)).bytes, 0u) << "controller disabled";
  out8(dma.byte_ports(), 0x08, 0x00);
  out8(dma.word_ports(), 0xd4 - 0xc0, 0x04);
  EXPECT_EQ(channel2.to_memory(counting(1)).bytes, 0u) << "cascade masked";
  out8(dma.word_ports(), 0xd4 - 0xc0, 0x00);
  EXPECT_EQ(channel2.to_memory(counting(1)).bytes, 1u);
  out8(dma.byte_ports(), 0x0b, 0xc2);
  EXPECT_EQ(channel2.to_memory(counting(1)).bytes, 0u) << "cascade mode";
  out8(dma.byte_ports(), 0x0b, kToMemory | 2);
  out8(dma.byte_ports(), 0x0d, 0);
  EXPECT_EQ(channel2.to_memory(counting(1)).bytes, 0u) << "master clear masks";
  out8(dma.byte_ports(), 0x0e, 0);
  EXPECT_EQ(channel2.to_memory(counting(1)).bytes, 1u) << "clear mask register";
  EXPECT_EQ(IsaDmaChannel().to_memory(counting(1)).bytes, 0u) << "no controller";
}

TEST_F(DmaTest, VerifyAndWrongDirectionsCountWithoutMoving) {
  program(0x42, 0x1000, 4);
  EXPECT_TRUE(channel2.to_memory(counting(4)).terminal_count);
  program(kFromMemory, 0x1000, 4);
  EXPECT_TRUE(channel2.to_memory(counting(4)).terminal_count);
  EXPECT_TRUE(memory.bytes.empty());
  program(kToMemory, 0x1000, 4);
  std::array<u8, 4> bytes{1, 2, 3, 4};
  EXPECT_TRUE(channel2.from_memory(bytes).terminal_count);
  EXPECT_EQ(bytes, (std::array<u8, 4>{}));
}

TEST_F(DmaTest, FlipFlopAndRequests) {
  out8(dma.byte_ports(), 0x0c, 0);
  out8(dma.byte_ports(), 0x00, 0x34);
  EXPECT_EQ(in8(dma.byte_ports(), 0x00), 0x00) << "the high byte is next";
  EXPECT_EQ(in8(dma.byte_ports(), 0x00), 0x34);
  out8(dma.byte_ports(), 0x09, 0x07);
  EXPECT_EQ(in8(dma.byte_ports(), 0x08), 0x80);
  out8(dma.byte_ports(), 0x09, 0x03);
  EXPECT_EQ(in8(dma.byte_ports(), 0x08), 0x00);
}

TEST_F(DmaTest, PagePortsAreMemoryAndShowPostCodes) {
  for (u16 i = 0; i < 16; ++i) out8(dma.page_ports(), i, 0xa0u + i);
  for (u16 i = 0; i < 16; ++i) EXPECT_EQ(in8(dma.page_ports(), i), 0xa0 + i);
  EXPECT_EQ(dma.post_code(), 0xa0);
  dma.reset(ResetKind::Warm);
  EXPECT_EQ(in8(dma.page_ports(), 1), 0);
}

TEST_F(DmaTest, RoundTripInTheMiddleOfATransfer) {
  program(kToMemory, 0x12345, 512);
  channel2.to_memory(counting(100));
  out8(dma.byte_ports(), 0x0c, 0);
  in8(dma.byte_ports(), 0x04);
  const auto bytes = saved(dma);
  Dma8237Pair other(memory);
  ASSERT_TRUE(load(other, bytes));
  EXPECT_EQ(saved(other), bytes);
  const auto transfer = other.dma_to_memory(2, counting(500));
  EXPECT_EQ(transfer.bytes, 412u);
  EXPECT_TRUE(transfer.terminal_count);
}

TEST(Dma8237Noise, AnythingIsTaken) {
  class Nowhere final : public DmaPort {
   public:
    bool dma_read(u64 phys, std::span<u8>) override { return note(phys); }
    bool dma_write(u64 phys, std::span<const u8>) override { return note(phys); }
    bool note(u64 phys) {
      highest = std::max(highest, phys);
      return true;
    }
    u64 highest = 0;
  } memory;
  Dma8237Pair dma(memory);
  Noise noise(8237);
  std::vector<u8> bytes(4096);
  for (int i = 0; i < 100000; ++i) {
    noise.ports(dma.byte_ports(), Dma8237Pair::kBytePorts, Width::Byte);
    noise.ports(dma.word_ports(), Dma8237Pair::kWordPorts, Width::Byte);
    noise.ports(dma.page_ports(), Dma8237Pair::kPagePorts, Width::Byte);
    if (noise.below(50) == 0) dma.enter_cascade_mode();
    const std::span<u8> some(bytes.data(), noise.below(4096));
    EXPECT_LE(dma.dma_to_memory(noise.below(9), some).bytes, some.size());
    EXPECT_LE(dma.dma_from_memory(noise.below(9), some).bytes, some.size());
  }
  EXPECT_GT(memory.highest, 0u);
  EXPECT_LT(memory.highest, u64{1} << 24);
  Dma8237Pair other(memory);
  ASSERT_TRUE(load(other, saved(dma)));
  EXPECT_EQ(saved(other), saved(dma));
  EXPECT_FALSE(dma.debug_dump().empty());
}

}  // namespace
}  // namespace reprise::devices
