#include "devices/firmware/fw_cfg.h"

#include <cstring>

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

/// 64 KiB at address 0; nothing beyond.
class SmallMemory final : public DmaPort {
 public:
  bool dma_read(u64 phys, std::span<u8> into) override {
    if (phys > bytes.size() || into.size() > bytes.size() - phys) return false;
    std::memcpy(into.data(), &bytes[phys], into.size());
    return true;
  }
  bool dma_write(u64 phys, std::span<const u8> from) override {
    if (phys > bytes.size() || from.size() > bytes.size() - phys) return false;
    std::memcpy(&bytes[phys], from.data(), from.size());
    return true;
  }
  std::vector<u8> bytes = std::vector<u8>(0x10000 + 64, 0xee);
};

class FwCfgTest : public ::testing::Test {
 protected:
  void select(u16 key) { device.selector_ports().pio_write(0, Width::Word, key); }
  u8 next() { return in8(device.selector_ports(), 1); }
  u32 next_be32() {
    u32 value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | next();
    return value;
  }
  /// Puts a request at 100h and starts it; the control word afterwards.
  u32 dma(u32 control, u32 length, u64 address) {
    const u64 words[] = {u64{__builtin_bswap32(length)} << 32 | __builtin_bswap32(control),
                         __builtin_bswap64(address)};
    std::memcpy(&memory.bytes[0x100], words, 16);
    out32(device.dma_ports(), 4, __builtin_bswap32(0x100));
    u32 answer;
    std::memcpy(&answer, &memory.bytes[0x100], 4);
    return __builtin_bswap32(answer);
  }

  SmallMemory memory;
  FwCfg device{memory};
};

TEST_F(FwCfgTest, SaysWhoItIs) {
  select(0);
  EXPECT_EQ(next(), 'Q');
  EXPECT_EQ(next(), 'E');
  select(1);
  EXPECT_EQ(next(), 3) << "the data port and DMA";
  EXPECT_EQ(in32(device.dma_ports(), 0), __builtin_bswap32(0x51454d55));
  EXPECT_EQ(in32(device.dma_ports(), 4), __builtin_bswap32(0x20434647));
}

TEST_F(FwCfgTest, DirectoryListsFilesByName) {
  device.set_file("etc/b", {1, 2, 3});
  device.set_file("etc/a", {9});
  select(0x19);
  EXPECT_EQ(next_be32(), 2u);
  EXPECT_EQ(next_be32(), 1u);
  EXPECT_EQ(next_be32() >> 16, 0x20u);
  std::string name;
  for (int i = 0; i < 56; ++i) name.push_back(static_cast<char>(next()));
  EXPECT_STREQ(name.c_str(), "etc/a");
  EXPECT_EQ(next_be32(), 3u);
  EXPECT_EQ(next_be32() >> 16, 0x21u);
  select(0x21);
  EXPECT_EQ(next(), 1);
  EXPECT_EQ(next(), 2);
  EXPECT_EQ(next(), 3);
  EXPECT_EQ(next(), 0) << "beyond the end";
}

TEST_F(FwCfgTest, DmaSelectsSkipsAndReads) {
  device.set_file("file", {10, 11, 12, 13});
  EXPECT_EQ(dma(0x20u << 16 | 8 | 4, 1, 0), 0u) << "select and skip";
  EXPECT_EQ(dma(2, 5, 0x2000), 0u);
  EXPECT_EQ(memory.bytes[0x2000], 11);
  EXPECT_EQ(memory.bytes[0x2002], 13);
  EXPECT_EQ(memory.bytes[0x2003], 0);
  EXPECT_EQ(memory.bytes[0x2004], 0);
  EXPECT_EQ(memory.bytes[0x2005], 0xee);
}

TEST_F(FwCfgTest, RefusesWritesAndBadAddresses) {
  EXPECT_EQ(dma(0x05u << 16 | 8 | 16, 4, 0x2000), 1u) << "nothing takes writes";
  device.set_file("file", {10});
  EXPECT_EQ(dma(0x20u << 16 | 8 | 2, 4, 0x7fff'ffff'0000), 1u);
  EXPECT_EQ(dma(0x99u << 16 | 8 | 2, 0xffff'ffff, 0x2000), 1u) << "4 GiB of zeros do not fit";
}

TEST_F(FwCfgTest, Noise) {
  device.set_file("file", std::vector<u8>(300, 1));
  Noise noise(7);
  for (int i = 0; i < 20'000; ++i) {
    if (noise.below(2) == 0)
      noise.ports(device.selector_ports(), 2, Width::Word);
    else
      noise.ports(device.dma_ports(), 8, Width::Dword);
  }
  const auto state = saved(device);
  FwCfg other{memory};
  EXPECT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
}

}  // namespace
}  // namespace reprise::devices
