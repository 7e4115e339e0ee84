#include "machine/firmware/rom_shadow.h"

#include <gtest/gtest.h>

#include "machine/layout/memory_map.h"

namespace reprise::machine {
namespace {

using devices::HostBridge;

class RomShadowTest : public ::testing::Test {
 protected:
  RomShadowTest() {
    EXPECT_TRUE(map.add_ram("low", 0, kVgaWindowPhys, 0).ok());
    EXPECT_TRUE(map.add_ram("high", kUpperAreaPhys, ram->bytes() - kUpperAreaPhys, kUpperAreaPhys).ok());
    shadow.update(bridge);
  }
  static std::vector<u8> rom() {
    std::vector<u8> bytes(256 * kKiB);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<u8>(i >> 12);
    return bytes;
  }
  bool set_pam(u8 index, u8 value) {
    bridge.config_write(static_cast<u8>(HostBridge::kPam0 + index), Width::Byte, value);
    return shadow.update(bridge);
  }
  u64 read(u64 phys) { return map.read(phys, Width::Byte); }
  void write(u64 phys, u8 value) { map.write(phys, Width::Byte, value); }

  std::unique_ptr<mmu::Ram> ram = mmu::Ram::create(2 * kMiB).take();
  mmu::PhysMap map{*ram};
  mmu::CodePages code_pages;
  HostBridge bridge;
  RomShadow shadow{map, code_pages, rom()};
};

TEST_F(RomShadowTest, AfterResetTheEndOfTheRomIsBelowOneMegabyte) {
  EXPECT_EQ(read(0xffff'fff0), 0x3fu);
  EXPECT_EQ(read(0xfffc'0000), 0x00u);
  EXPECT_EQ(read(0xffff0), 0x3fu);
  EXPECT_EQ(read(0xe0000), 0x20u);
  EXPECT_EQ(read(0xc0000), 0xffu) << "no ROM there";
  write(0xf0000, 0x55);
  EXPECT_EQ(read(0xf0000), 0x30u);
}

TEST_F(RomShadowTest, SegmentsReadAndWriteRamAsPamSays) {
  EXPECT_TRUE(set_pam(0, 0x20)) << "writes to RAM, reads from ROM";
  write(0xf1234, 0x77);
  EXPECT_EQ(read(0xf1234), 0x31u);
  EXPECT_TRUE(set_pam(0, 0x30));
  EXPECT_EQ(read(0xf1234), 0x77u);
  write(0xf1234, 0x78);
  EXPECT_TRUE(set_pam(0, 0x10)) << "write-protected RAM";
  write(0xf1234, 0x79);
  EXPECT_EQ(read(0xf1234), 0x78u);
  EXPECT_FALSE(shadow.update(bridge)) << "nothing changed";
  EXPECT_TRUE(set_pam(1, 0x03)) << "C0000 to C3FFF";
  write(0xc3fff, 1);
  write(0xc4000, 1);
  EXPECT_EQ(read(0xc3fff), 1u);
  EXPECT_EQ(read(0xc4000), 0xffu);
}

}  // namespace
}  // namespace reprise::machine
