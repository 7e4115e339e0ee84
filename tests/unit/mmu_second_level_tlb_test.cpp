#include "mmu/second_level_tlb.h"

#include <gtest/gtest.h>

#include <memory>

namespace reprise::mmu {
namespace {

class SecondLevelTest : public ::testing::Test {
 protected:
  SecondLevelTest() { tlb->select_pcid(0); }
  static Translation page(u64 phys, u64 bytes = kPageBytes, bool global = false) {
    return {phys, bytes, global, true, true, true, true};
  }
  u64 phys_of(u64 linear) const {
    const u64 data = tlb->find(linear);
    return data ? data & kPageMask : ~u64{0};
  }
  std::unique_ptr<SecondLevelTlb> tlb = std::make_unique<SecondLevelTlb>();
};

constexpr u64 kNone = ~u64{0};

TEST_F(SecondLevelTest, HoldsTheBits) {
  EXPECT_EQ(tlb->find(0), 0u);
  tlb->insert(0, {0x5000, kPageBytes, false, false, false, false, false});
  EXPECT_NE(tlb->find(0xfff), 0u);
  EXPECT_EQ(phys_of(0), 0x5000u);
  EXPECT_EQ(tlb->find(0) & (SecondLevelTlb::kRightsMask | SecondLevelTlb::kDirty | SecondLevelTlb::kGlobal),
            0u);
  tlb->insert(0, {0x5000, kPageBytes, true, true, true, true, true});
  const u64 all = SecondLevelTlb::kRightsMask | SecondLevelTlb::kDirty | SecondLevelTlb::kGlobal;
  EXPECT_EQ(tlb->find(0) & all, all);
}

TEST_F(SecondLevelTest, OneAddressHasOneEntry) {
  tlb->insert(0x1000, page(0x5000, kPageBytes, true));
  tlb->insert(0x1000, page(0x6000));
  EXPECT_EQ(phys_of(0x1000), 0x6000u);
  tlb->drop_page(0x1000, 0, SecondLevelTlb::Globals::Keep);
  EXPECT_EQ(phys_of(0x1000), kNone) << "the global one was replaced";
}

TEST_F(SecondLevelTest, FourWaysThenTheOldestGoes) {
  // Four addresses of one set: the index folds bit 11 of the page number onto bit 0.
  const auto address = [](u64 i) { return (i << 23) | (i << 12); };
  for (u64 i = 0; i < 5; ++i) tlb->insert(address(i), page(0x10000 + i * kPageBytes));
  EXPECT_EQ(phys_of(address(0)), kNone);
  for (u64 i = 1; i < 5; ++i) EXPECT_EQ(phys_of(address(i)), 0x10000 + i * kPageBytes) << i;
}

TEST_F(SecondLevelTest, PcidsAreApartAndGlobalsShared) {
  tlb->select_pcid(1);
  tlb->insert(0x1000, page(0x5000));
  tlb->insert(0x2000, page(0x7000, kPageBytes, true));
  EXPECT_TRUE(tlb->select_pcid(2));
  EXPECT_EQ(phys_of(0x1000), kNone);
  EXPECT_EQ(phys_of(0x2000), 0x7000u);
  tlb->insert(0x1000, page(0x6000));
  EXPECT_TRUE(tlb->select_pcid(1));
  EXPECT_FALSE(tlb->select_pcid(1));
  EXPECT_EQ(phys_of(0x1000), 0x5000u);

  tlb->flush_pcid(2);
  EXPECT_FALSE(tlb->select_pcid(1));
  EXPECT_EQ(phys_of(0x1000), 0x5000u);
  tlb->select_pcid(2);
  EXPECT_EQ(phys_of(0x1000), kNone);
  EXPECT_EQ(phys_of(0x2000), 0x7000u);
  tlb->flush_nonglobal();
  EXPECT_TRUE(tlb->select_pcid(1));
  EXPECT_EQ(phys_of(0x1000), kNone);
  EXPECT_EQ(phys_of(0x2000), 0x7000u);
  tlb->flush_all();
  tlb->select_pcid(1);
  EXPECT_EQ(phys_of(0x2000), kNone);
}

TEST_F(SecondLevelTest, LargePagesGoAsAWhole) {
  for (const u64 bytes : {u64{2} << 20, u64{4} << 20, u64{1} << 30}) {
    SCOPED_TRACE(bytes);
    const u64 base = u64{0xffff'8880'4000'0000};
    const u64 pieces[] = {base, base + 0x5000, base + bytes / 2, base + bytes - 0x1000};
    for (const u64 piece : pieces) tlb->insert(piece, page(piece - base, bytes));
    tlb->insert(base + 0x7000, page(0x9000));  // a 4 KiB page in the same range
    tlb->insert(base + bytes, page(0xa000, bytes));
    tlb->insert(base - 0x1000, page(0xb000, bytes));
    EXPECT_EQ(tlb->drop_page(base + bytes / 4, 0, SecondLevelTlb::Globals::Keep), bytes);
    for (const u64 piece : pieces) EXPECT_EQ(phys_of(piece), kNone) << std::hex << piece;
    EXPECT_EQ(phys_of(base + 0x7000), 0x9000u);
    EXPECT_EQ(phys_of(base + bytes), 0xa000u);
    EXPECT_EQ(phys_of(base - 0x1000), 0xb000u);
    tlb->flush_all();
    tlb->select_pcid(0);
    EXPECT_EQ(tlb->drop_page(base, 0, SecondLevelTlb::Globals::Keep), kPageBytes)
        << "the filter is clear again";
  }
}

TEST_F(SecondLevelTest, GlobalLargePagesGoOnlyWhenAsked) {
  tlb->insert(0x20'0000, page(0, u64{2} << 20, true));
  tlb->drop_page(0x20'0000, 0, SecondLevelTlb::Globals::Keep);
  EXPECT_EQ(phys_of(0x20'0000), 0u);
  tlb->drop_page(0x3f'f000, 5, SecondLevelTlb::Globals::Drop);
  EXPECT_EQ(phys_of(0x20'0000), kNone) << "global pages of any PCID";
}

// Space numbers run out after half a million flushes: entries of before must not come back.
TEST_F(SecondLevelTest, SpaceNumbersWrapSafely) {
  tlb->insert(0x1000, page(0x5000));
  tlb->insert(0x2000, page(0x7000, kPageBytes, true));
  for (int i = 0; i < 700'000; ++i) {
    tlb->flush_pcid(0);
    ASSERT_TRUE(tlb->select_pcid(0));
    ASSERT_EQ(tlb->find(0x1000), 0u) << i;
  }
  tlb->insert(0x1000, page(0x6000));
  EXPECT_EQ(phys_of(0x1000), 0x6000u);
  for (int i = 0; i < 700'000; ++i) {
    tlb->flush_all();
    tlb->select_pcid(7);
    ASSERT_EQ(tlb->find(0x2000), 0u) << i;
    tlb->insert(0x2000, page(0x7000, kPageBytes, true));
  }
}

TEST_F(SecondLevelTest, HighAndLowHalvesDoNotMix) {
  tlb->insert(0x0000'7fff'ffff'f000, page(0x1000));
  EXPECT_EQ(phys_of(0xffff'ffff'ffff'f000), kNone);
  tlb->insert(0xffff'ffff'ffff'f000, page(0x2000));
  EXPECT_EQ(phys_of(0x0000'7fff'ffff'f000), 0x1000u);
  tlb->insert(0xff00'0000'0000'0000, page(0x3000));
  EXPECT_EQ(phys_of(0x0000'0000'0000'0000), kNone);
  EXPECT_EQ(phys_of(0xff00'0000'0000'0000), 0x3000u);
}

}  // namespace
}  // namespace reprise::mmu
