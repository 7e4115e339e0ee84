#include "tests/unit/mmu_fixture.h"

namespace reprise::mmu {
namespace {

using Kind = PhysMap::Kind;

class PhysMapTest : public ::testing::Test {
 protected:
  std::unique_ptr<Ram> ram = Ram::create(4 * kMiB).take();
  PhysMap map{*ram};
  RecordingDevice device, window;
};

TEST_F(PhysMapTest, HolesReadOnesAndAreCounted) {
  EXPECT_EQ(map.read(0x1234, Width::Dword), 0xffff'ffffu);
  EXPECT_EQ(map.read(0x1234, Width::Qword), ~u64{0});
  map.write(0x1234, Width::Byte, 1);
  EXPECT_EQ(map.unmapped_reads(), 3u) << "the quadword at 4 mod 8 is two pieces";
  EXPECT_EQ(map.unmapped_writes(), 1u);
  EXPECT_EQ(map.find(0).kind, Kind::Unmapped);
}

TEST_F(PhysMapTest, HigherPriorityHidesTheMiddleOfRam) {
  ASSERT_TRUE(map.add_ram("low", 0, kMiB, 0));
  ASSERT_TRUE(map.add_mmio("vga", 0xa0000, 0x20000, window));
  ASSERT_TRUE(map.add_ram("high", u64{1} << 32, kMiB, kMiB));
  EXPECT_EQ(map.find(0x9ffff).kind, Kind::Ram);
  EXPECT_EQ(map.find(0x9ffff).bytes_left, 1u);
  EXPECT_EQ(map.find(0xa0000).kind, Kind::Mmio);
  EXPECT_EQ(map.find(0xbffff).offset, 0x1ffffu);
  EXPECT_EQ(map.find(0xc0000).kind, Kind::Ram);
  EXPECT_EQ(map.find(0xc0000).ram_offset, 0xc0000u);
  EXPECT_EQ(map.find(0xc0123).host, ram->host() + 0xc0123);
  EXPECT_EQ(map.find(0x100000).kind, Kind::Unmapped);
  EXPECT_EQ(map.find(0x100000).bytes_left, (u64{1} << 32) - 0x100000);
  EXPECT_EQ(map.find((u64{1} << 32) + 5).ram_offset, kMiB + 5);
  EXPECT_EQ(map.find((u64{1} << 32) + kMiB).kind, Kind::Unmapped);
  EXPECT_EQ(map.find(~u64{0}).kind, Kind::Unmapped);
  EXPECT_GE(map.find(~u64{0}).bytes_left, 1u);

  EXPECT_EQ(map.ram_host(0x9f000, kPageBytes), ram->host() + 0x9f000);
  EXPECT_EQ(map.ram_host(0x9f001, kPageBytes), nullptr);
  EXPECT_EQ(map.ram_host(0xa0000, 1), nullptr);
  EXPECT_EQ(map.ram_host(0xc0000, kPageBytes), ram->host() + 0xc0000) << "the third range";

  EXPECT_TRUE(map.remove("vga"));
  EXPECT_FALSE(map.remove("vga"));
  EXPECT_EQ(map.find(0xa0000).kind, Kind::Ram);
  EXPECT_EQ(map.find(0).bytes_left, kMiB);
}

TEST_F(PhysMapTest, RefusesWhatCannotBe) {
  std::vector<u8> rom(kPageBytes);
  ASSERT_TRUE(map.add_ram("low", 0, kMiB, 0));
  EXPECT_FALSE(map.add_ram("low", 8 * kMiB, kMiB, kMiB)) << "name taken";
  EXPECT_FALSE(map.add_ram("same priority", kMiB - kPageBytes, 2 * kPageBytes, kMiB));
  EXPECT_FALSE(map.add_ram("beyond RAM", 8 * kMiB, kMiB, 3 * kMiB + kPageBytes));
  EXPECT_FALSE(map.add_ram("offset wraps", 8 * kMiB, kMiB, ~u64{0} & kPageMask));
  EXPECT_FALSE(map.add_ram("unaligned", 8 * kMiB + 1, kPageBytes, kMiB));
  EXPECT_FALSE(map.add_ram("empty", 8 * kMiB, 0, kMiB));
  EXPECT_FALSE(map.add_ram("alias", 8 * kMiB, kMiB, 0)) << "RAM at two addresses";
  EXPECT_TRUE(map.add_ram("same bytes, same address", 0xc0000, 0x4000, 0xc0000, 2));
  EXPECT_FALSE(map.add_rom("half a page", 8 * kMiB, 0x800, rom.data()));
  EXPECT_FALSE(map.add_mmio("beyond", (u64{1} << 52) - 1, 2, device));
  EXPECT_FALSE(map.add_mmio("wraps", ~u64{0}, 2, device));
  EXPECT_TRUE(map.add_mmio("last byte", (u64{1} << 52) - 1, 1, device));
  const auto error = map.add_ram("same priority", kMiB - kPageBytes, 2 * kPageBytes, kMiB);
  EXPECT_NE(error.error().message.find("low"), std::string::npos) << error.error().message;
}

TEST_F(PhysMapTest, AdjacentRegionsAreNotAnOverlap) {
  EXPECT_TRUE(map.add_ram("a", 0, kMiB, 0));
  EXPECT_TRUE(map.add_ram("b", kMiB, kMiB, kMiB));
  EXPECT_EQ(map.find(kMiB - 1).bytes_left, 1u);
  EXPECT_EQ(map.find(kMiB).ram_offset, kMiB);
}

TEST_F(PhysMapTest, AccessesSplitAtRangesAndAlignment) {
  ASSERT_TRUE(map.add_ram("low", 0, kMiB, 0));
  ASSERT_TRUE(map.add_mmio("device", kMiB, 0x100, device));
  ram->host()[kMiB - 1] = 0x5a;
  EXPECT_EQ(map.read(kMiB - 1, Width::Dword), 0x5au | RecordingDevice::pattern(0, Width::Word) << 8 |
                                                  RecordingDevice::pattern(2, Width::Byte) << 24);
  EXPECT_EQ(device.events.size(), 2u);
  device.events.clear();
  map.write(kMiB + 1, Width::Qword, 0x8877'6655'4433'2211);
  const std::vector<RecordingDevice::Event> expected = {
      {true, 1, 1, 0x11}, {true, 2, 2, 0x3322}, {true, 4, 4, 0x7766'5544}, {true, 8, 1, 0x88}};
  EXPECT_EQ(device.events, expected);
  device.events.clear();
  EXPECT_EQ(map.read(kMiB + 0xfe, Width::Dword), 0xffff'0000u | RecordingDevice::pattern(0xfe, Width::Word));
}

TEST_F(PhysMapTest, RamWritesMarkPagesAndRomWritesAreDropped) {
  std::vector<u8> rom(kPageBytes, 0x33);
  ASSERT_TRUE(map.add_ram("low", 0, kMiB, 0));
  ASSERT_TRUE(map.add_rom("rom", kMiB, kPageBytes, rom.data()));
  map.write(0x2ffe, Width::Dword, 0x44332211);
  EXPECT_TRUE(ram->written_since(0, 0x2000));
  EXPECT_TRUE(ram->written_since(0, 0x3000));
  EXPECT_FALSE(ram->written_since(0, 0x4000));
  map.write(kMiB, Width::Qword, 0);
  EXPECT_EQ(map.read(kMiB, Width::Dword), 0x33333333u);
  EXPECT_EQ(map.unmapped_writes(), 1u);
}

TEST_F(PhysMapTest, ByteRanges) {
  std::vector<u8> rom(kPageBytes, 0x33);
  ASSERT_TRUE(map.add_ram("low", 0, kMiB, 0));
  ASSERT_TRUE(map.add_rom("rom", kMiB, kPageBytes, rom.data()));
  std::vector<u8> bytes(3 * kPageBytes, 0x77);
  EXPECT_TRUE(map.write_bytes(0x1800, bytes));
  for (u64 page = 0; page < 8; ++page)
    EXPECT_EQ(ram->written_since(0, page * kPageBytes), page >= 1 && page <= 4) << page;
  EXPECT_FALSE(map.write_bytes(kMiB - 2, std::span(bytes).first(4)));
  EXPECT_EQ(rom[0], 0x33);
  EXPECT_TRUE(map.read_bytes(kMiB - 2, std::span(bytes).first(4)));
  EXPECT_EQ(bytes[1], 0x77);
  EXPECT_EQ(bytes[2], 0x33);
  EXPECT_FALSE(map.read_bytes(kMiB + kPageBytes - 1, std::span(bytes).first(3)));
  EXPECT_EQ(bytes[0], 0x33);
  EXPECT_EQ(bytes[1], 0xff);
  EXPECT_FALSE(map.read_bytes(~u64{0} - 1, std::span(bytes).first(4))) << "wraps to RAM at 0, after a hole";
  EXPECT_EQ(bytes[0], 0xff);
  EXPECT_EQ(bytes[2], 0);
}

TEST_F(PhysMapTest, DumpNamesEveryRange) {
  ASSERT_TRUE(map.add_ram("low", 0, kMiB, 0));
  ASSERT_TRUE(map.add_mmio("vga", 0xa0000, 0x20000, window));
  EXPECT_EQ(map.dump(),
            "0000000000000000-000000000009ffff ram  low\n"
            "00000000000a0000-00000000000bffff mmio vga\n"
            "00000000000c0000-00000000000fffff ram  low\n");
}

}  // namespace
}  // namespace reprise::mmu
