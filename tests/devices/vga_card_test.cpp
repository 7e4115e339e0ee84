#include "devices/display/vga_card.h"

#include <numeric>

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

class VgaCardTest : public ::testing::Test {
 protected:
  VgaCardTest() { card.reset(ResetKind::PowerOn); }
  MmioHandler& registers() { return *card.bar(VgaCard::kRegistersBar).memory; }
  FakeClock clock;
  FakeVideoRam ram;
  VgaCard card{clock, ram, {1024, 768}};
};

TEST_F(VgaCardTest, IsQemusStandardVga) {
  EXPECT_EQ(card.config_read(pci::kVendorId, Width::Dword), 0x1111'1234u);
  EXPECT_EQ(card.config_read(pci::kRevision, Width::Dword), 0x0300'0002u);
  EXPECT_EQ(card.config_read(pci::kSubsystemVendorId, Width::Dword), 0x1100'1af4u);
  card.config_write(pci::kBar0, Width::Dword, ~u32{0});
  EXPECT_EQ(card.config_read(pci::kBar0, Width::Dword), 0xff00'0008u) << "16 MiB, prefetchable";
  card.config_write(pci::kBar0 + 8, Width::Dword, ~u32{0});
  EXPECT_EQ(card.config_read(pci::kBar0 + 8, Width::Dword), 0xffff'f000u);
  EXPECT_EQ(card.bar(0).ram, &ram);
  card.config_write(pci::kCommand, Width::Word, 7);
  EXPECT_EQ(card.config_read(pci::kCommand, Width::Word), 7u) << "SeaBIOS looks for the bit of I/O";
}

TEST_F(VgaCardTest, RomAnswersWhileItIsEnabled) {
  card.config_write(pci::kRomAddress, Width::Dword, ~u32{0});
  EXPECT_EQ(card.config_read(pci::kRomAddress, Width::Dword), 0u) << "there is none";
  card.set_rom(std::vector<u8>(39936, 0x55));
  card.config_write(pci::kRomAddress, Width::Dword, ~u32{0});
  EXPECT_EQ(card.config_read(pci::kRomAddress, Width::Dword), 0xffff'0001u);
  card.config_write(pci::kRomAddress, Width::Dword, 0xfe00'0000);
  card.config_write(pci::kCommand, Width::Word, pci::kCommandMemory);
  EXPECT_EQ(card.bar_base(pci::kRomBar), std::nullopt);
  card.config_write(pci::kRomAddress, Width::Dword, 0xfe00'0001);
  EXPECT_EQ(card.bar_base(pci::kRomBar), 0xfe00'0000u);
  EXPECT_EQ(card.bar(pci::kRomBar).rom.size(), 0x10000u);
  EXPECT_EQ(card.bar(pci::kRomBar).rom[39935], 0x55);
  card.reset(ResetKind::Warm);
  EXPECT_EQ(card.bar_base(pci::kRomBar), std::nullopt);
}

TEST_F(VgaCardTest, RegistersInMemoryAreThoseOfThePorts) {
  mmio32(registers(), 0x604, 0x1e1e1e1e);
  EXPECT_EQ(mmio32(registers(), 0x600), 8u);
  EXPECT_EQ(mmio32(registers(), 0x604), 0x1e1e1e1eu);
  registers().mmio_write(0x502, Width::Word, 800);
  mmio32(registers(), 0x504, 32u << 16 | 600);
  EXPECT_EQ(card.vga().registers().dispi.xres, 800);
  EXPECT_EQ(card.vga().registers().dispi.yres, 600);
  EXPECT_EQ(card.vga().registers().dispi.bpp, 32);
  registers().mmio_write(0x508, Width::Word, 1);
  EXPECT_TRUE(card.vga().registers().dispi.enabled());
  EXPECT_EQ(mmio32(registers(), 0x500), 800u << 16 | 0xb0c5u);
  EXPECT_EQ(registers().mmio_read(0x503, Width::Byte), 800u >> 8);
  registers().mmio_write(0x503, Width::Byte, 0);
  EXPECT_EQ(card.vga().registers().dispi.xres, 800) << "a byte is no register";
  registers().mmio_write(0x400, Width::Byte, 0x20);
  EXPECT_EQ(card.vga().registers().attribute_index, 0x20);
  registers().mmio_write(0x404, Width::Word, 0x0702);
  EXPECT_EQ(card.vga().registers().sequencer[2], 0x07);
}

TEST_F(VgaCardTest, EdidPrefersTheSize) {
  std::array<u8, kEdidBytes> edid;
  for (u64 i = 0; i < edid.size(); ++i) edid[i] = static_cast<u8>(registers().mmio_read(i, Width::Byte));
  EXPECT_EQ(mmio32(registers(), 0), 0xffffff00u);
  EXPECT_EQ(std::accumulate(edid.begin(), edid.end(), 0u) & 0xff, 0u);
  EXPECT_EQ(edid[56] | (edid[58] & 0xf0) << 4, 1024);
  EXPECT_EQ(edid[59] | (edid[61] & 0xf0) << 4, 768);
  EXPECT_EQ(edid[36] & 0x08, 0x08) << "1024x768 at 60 Hz";
  EXPECT_EQ(edid[38], 0x01) << "nothing larger";
  const auto large = make_edid(kMaxDisplaySize);
  EXPECT_EQ(large[56] | (large[58] & 0xf0) << 4, 4088);
  EXPECT_EQ(large[38], 1920 / 8 - 31);
  EXPECT_EQ(std::accumulate(large.begin(), large.end(), 0u) & 0xff, 0u);
}

TEST_F(VgaCardTest, RoundTripAndImpossibleStates) {
  registers().mmio_write(0x502, Width::Word, 800);
  registers().mmio_write(0x504, Width::Word, 600);
  registers().mmio_write(0x506, Width::Word, 24);
  registers().mmio_write(0x508, Width::Word, 1);
  const auto bytes = saved(card);
  VgaCard other(clock, ram, {1024, 768});
  ASSERT_TRUE(load(other, bytes));
  EXPECT_EQ(saved(other), bytes);
  // The last of what DISPI saves: a picture that reaches beyond the memory.
  FakeVideoRam small(1 << 20);
  VgaCard little(clock, small, {1024, 768});
  EXPECT_FALSE(load(little, bytes));
}

TEST_F(VgaCardTest, Noise) {
  Noise noise(0x1234);
  for (int i = 0; i < 100000; ++i) {
    if (noise.below(20) == 0)
      card.config_write(static_cast<u8>(noise.next()), Width::Byte, noise.value() & 0xff);
    else if (noise.below(3) == 0)
      registers().mmio_write(0x500 + 2 * noise.below(12), Width::Word, noise.value() & 0xffff);
    else
      noise.page(registers(), VgaCard::kRegistersBytes);
  }
  VgaCard other(clock, ram, {1024, 768});
  ASSERT_TRUE(load(other, saved(card)));
  EXPECT_EQ(saved(other), saved(card));
}

}  // namespace
}  // namespace reprise::devices
