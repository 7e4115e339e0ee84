#include "machine/memory_report/leaf_entry.h"

#include <gtest/gtest.h>

#include "common/bits.h"
#include "mmu/ram.h"

namespace reprise::machine::memory_report {
namespace {

constexpr u64 kLink = mmu::kPteP | mmu::kPteRw;

class LeafEntryTest : public ::testing::Test {
 protected:
  LeafEntryTest() : ram(mmu::Ram::create(u64{4} << 20).take()), map(*ram) {
    EXPECT_TRUE(map.add_ram("ram", 0, u64{4} << 20, 0));
    context.cr0 = mmu::kCr0Pg | mmu::kCr0Pe;
    context.cr3 = 0x1000;
  }
  void entry64(u64 phys, u64 value) { write_unaligned(ram->host() + phys, value); }
  void entry32(u64 phys, u32 value) { write_unaligned(ram->host() + phys, value); }

  std::unique_ptr<mmu::Ram> ram;
  mmu::PhysMap map;
  mmu::PagingContext context;
};

TEST_F(LeafEntryTest, FourLevels) {
  context.cr4 = mmu::kCr4Pae;
  context.efer = mmu::kEferLma;
  EXPECT_EQ(find_leaf(context, map, 0x5000).level, 4u);
  entry64(0x1000, 0x2000 | kLink);
  entry64(0x2000, 0x3000 | kLink);
  entry64(0x3000, 0x4000 | kLink);
  entry64(0x4000 + 5 * 8, 0x1234);
  const LeafEntry leaf = find_leaf(context, map, 0x5678);
  EXPECT_EQ(leaf.level, 1u);
  EXPECT_EQ(leaf.raw, 0x1234u);
  EXPECT_EQ(leaf.phys, 0x4028u);
  EXPECT_FALSE(leaf.present());
  entry64(0x3000, 0x20'0000 | kLink | mmu::kPtePs);
  EXPECT_EQ(find_leaf(context, map, 0x5678).level, 2u);
  EXPECT_EQ(find_leaf(context, map, 0x5678).page_bytes, u64{2} << 20);
}

TEST_F(LeafEntryTest, Pae) {
  context.cr4 = mmu::kCr4Pae;
  EXPECT_EQ(find_leaf(context, map, 0xc000'5000).level, 3u);
  context.pdptes[3] = 0x2000 | mmu::kPteP;
  entry64(0x2000, 0x3000 | kLink);
  entry64(0x3000 + 5 * 8, 0x9000 | kLink);
  const LeafEntry leaf = find_leaf(context, map, 0xc000'5678);
  EXPECT_EQ(leaf.level, 1u);
  EXPECT_EQ(leaf.raw, 0x9000 | kLink);
  EXPECT_FALSE(leaf.long_mode);
}

TEST_F(LeafEntryTest, Bits32) {
  entry32(0x1000 + 3 * 4, 0x2000 | kLink);
  entry32(0x2000 + 7 * 4, 0x9000 | kLink);
  entry32(0x1000 + 4 * 4, static_cast<u32>(0x40'0000 | kLink | mmu::kPtePs));
  const LeafEntry small = find_leaf(context, map, 0x00c0'7123);
  EXPECT_EQ(small.level, 1u);
  EXPECT_EQ(small.raw, 0x9000 | kLink);
  EXPECT_EQ(small.phys, 0x201cu);
  context.cr4 = mmu::kCr4Pse;
  const LeafEntry large = find_leaf(context, map, 0x0100'7123);
  EXPECT_EQ(large.level, 2u);
  EXPECT_EQ(large.page_bytes, u64{4} << 20);
}

TEST(AbsentEntry, SaysWhatLinuxKeepsThere) {
  // Page 5 of area 2.
  const u64 swapped = u64{2} << 59 | (~u64{5} << 9 & 0x07ff'ffff'ffff'fe00);
  EXPECT_TRUE(LeafEntry::is_linux_swap(swapped));
  EXPECT_NE(absent_entry_text(swapped, true).find("page 5 of swap area 2"), std::string::npos);
  EXPECT_NE(absent_entry_text(0x12'3000 | mmu::kPteG, true).find("0x123000"), std::string::npos);
  EXPECT_FALSE(LeafEntry::is_linux_swap(u64{30} << 59 | 0x1000));
}

}  // namespace
}  // namespace reprise::machine::memory_report
