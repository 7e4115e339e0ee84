#include "machine/boot/bios_area.h"

#include <numeric>

#include "tests/unit/machine/boot_fixture.h"

namespace reprise::machine::boot {
namespace {

struct BiosArea : BootFixture {
  BiosArea() {
    write_bios_area(phys_map, {.memory = memory,
                               .processors = {.apic_ids = {0, 1}},
                               .smbios = {},
                               .cmos_equipment = 0x03,
                               .hard_disks = 2,
                               .second_of_day = 3600});
  }
  u64 byte(u64 phys) { return read(phys, Width::Byte); }
  u64 word(u64 phys) { return read(phys, Width::Word); }
  std::string text(u64 phys, std::size_t bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(byte(phys + i));
    return out;
  }
  u8 sum(u64 phys, u64 bytes) {
    u8 total = 0;
    for (u64 i = 0; i < bytes; ++i) total = static_cast<u8>(total + byte(phys + i));
    return total;
  }
  /// Where a signature lies, as systems search for it.
  u64 find(const std::string& signature) {
    for (u64 phys = 0xf0000; phys < 0x100000; phys += 16)
      if (text(phys, signature.size()) == signature) return phys;
    return 0;
  }
};

TEST_F(BiosArea, DataArea) {
  EXPECT_EQ(word(0x400), 0x3f8u);
  EXPECT_EQ(word(0x402), 0x2f8u);
  EXPECT_EQ(word(0x404), 0u);
  EXPECT_EQ(word(0x40e), 0x9fc0u);
  EXPECT_EQ(word(0x410), 0x423u) << "equipment: CMOS, colour text, two serial ports";
  EXPECT_EQ(word(0x413), 639u);
  EXPECT_EQ(byte(0x449), 3u);
  EXPECT_EQ(word(0x44a), 80u);
  EXPECT_EQ(word(0x463), 0x3d4u);
  EXPECT_EQ(read32(0x46c), 65543u) << "ticks of an hour";
  EXPECT_EQ(byte(0x475), 2u);
  EXPECT_EQ(byte(0x484), 24u);
  EXPECT_EQ(byte(0x9fc00), 1u);
}

TEST_F(BiosArea, EveryVectorButTheUsersPointsIntoTheBios) {
  for (unsigned vector = 0; vector < 256; ++vector) {
    if (vector >= 0x60 && vector <= 0x66) {
      EXPECT_EQ(read32(4 * vector), 0u);
      continue;
    }
    EXPECT_EQ(word(4 * vector + 2), 0xf000u) << vector;
    EXPECT_GE(word(4 * vector), 0xe000u) << vector;
  }
  constexpr u8 kIret = 0xcf;
  EXPECT_EQ(byte(0xf0000 + word(4 * 0x21)), kIret);
  EXPECT_NE(byte(0xf0000 + word(4 * 0x15)), kIret);
}

TEST_F(BiosArea, TablesLieWhereTheyAreSearchedAndAddUp) {
  const u64 pir = find("$PIR");
  ASSERT_NE(pir, 0u);
  EXPECT_EQ(sum(pir, word(pir + 6)), 0);
  const u64 mp = find("_MP_");
  ASSERT_NE(mp, 0u);
  EXPECT_EQ(sum(mp, 16), 0);
  EXPECT_EQ(text(read32(mp + 4), 4), "PCMP");
  const u64 smbios = find("_SM_");
  ASSERT_NE(smbios, 0u);
  EXPECT_EQ(sum(smbios, byte(smbios + 5)), 0);
  EXPECT_EQ(text(smbios + 16, 5), "_DMI_");
  EXPECT_EQ(sum(smbios + 16, 15), 0);
  const u64 structures = read32(smbios + 24);
  EXPECT_EQ(byte(structures), 0u) << "BIOS information comes first";
  EXPECT_EQ(byte(structures + word(smbios + 22) - 6), 127u) << "and the end last";
}

TEST_F(BiosArea, TheResetVectorLeadsToTheRestart) {
  EXPECT_EQ(byte(0xffff0), 0xeau);
  EXPECT_EQ(word(0xffff1), word(4 * 0x19));
  EXPECT_EQ(word(0xffff3), 0xf000u);
  EXPECT_EQ(byte(0xffffe), 0xfcu);
}

}  // namespace
}  // namespace reprise::machine::boot
