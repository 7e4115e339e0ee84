#include "mmu/second_level_tlb.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

namespace reprise::mmu {
namespace {

class SecondLevelTest : public ::testing::Test {
 protected:
  SecondLevelTest() { (void)tlb->select_pcid(0); }
  static Translation page(u64 phys, u64 bytes = kPageBytes, bool global = false) {
    return {phys, bytes, global, true, true, true, true};
  }
  void insert(u64 linear, const Translation& translation) {
    changes = TlbChanges();
    tlb->insert(linear, translation, changes);
  }
  void drop_page(u64 linear, u16 pcid, SecondLevelTlb::Globals globals) {
    changes = TlbChanges();
    tlb->drop_page(linear, pcid, globals, changes);
  }
  /// What the last insertion or removal may have changed: "address+bytes", in hexadecimal.
  std::string changed() const {
    std::string text;
    for (const TlbChanges::Range& range : changes)
      text += fmt::format("{}{:x}+{:x}", text.empty() ? "" : " ", range.linear, range.bytes);
    return text;
  }
  u64 phys_of(u64 linear) const {
    const u64 data = tlb->find(linear);
    return data ? data & kPageMask : ~u64{0};
  }
  std::unique_ptr<SecondLevelTlb> tlb = std::make_unique<SecondLevelTlb>();
  TlbChanges changes;
};

using Selected = SecondLevelTlb::Selected;

constexpr u64 kNone = ~u64{0};

TEST_F(SecondLevelTest, HoldsTheBits) {
  EXPECT_EQ(tlb->find(0), 0u);
  insert(0, {0x5000, kPageBytes, false, false, false, false, false});
  EXPECT_NE(tlb->find(0xfff), 0u);
  EXPECT_EQ(phys_of(0), 0x5000u);
  EXPECT_EQ(tlb->find(0) & (SecondLevelTlb::kRightsMask | SecondLevelTlb::kDirty | SecondLevelTlb::kGlobal),
            0u);
  insert(0, {0x5000, kPageBytes, true, true, true, true, true});
  const u64 all = SecondLevelTlb::kRightsMask | SecondLevelTlb::kDirty | SecondLevelTlb::kGlobal;
  EXPECT_EQ(tlb->find(0) & all, all);
}

TEST_F(SecondLevelTest, OneAddressHasOneEntry) {
  insert(0x1000, page(0x5000, kPageBytes, true));
  insert(0x1000, page(0x6000));
  EXPECT_EQ(phys_of(0x1000), 0x6000u);
  drop_page(0x1000, 0, SecondLevelTlb::Globals::Keep);
  EXPECT_EQ(phys_of(0x1000), kNone) << "the global one was replaced";
}

TEST_F(SecondLevelTest, FourWaysThenTheOldestGoes) {
  // Four addresses of one set: the index folds bit 11 of the page number onto bit 0.
  const auto address = [](u64 i) { return (i << 23) | (i << 12); };
  for (u64 i = 0; i < 5; ++i) insert(address(i), page(0x10000 + i * kPageBytes));
  EXPECT_EQ(phys_of(address(0)), kNone);
  for (u64 i = 1; i < 5; ++i) EXPECT_EQ(phys_of(address(i)), 0x10000 + i * kPageBytes) << i;
}

TEST_F(SecondLevelTest, PcidsAreApartAndGlobalsShared) {
  (void)tlb->select_pcid(1);
  insert(0x1000, page(0x5000));
  insert(0x2000, page(0x7000, kPageBytes, true));
  EXPECT_EQ(tlb->select_pcid(2), Selected::Switched);
  EXPECT_EQ(phys_of(0x1000), kNone);
  EXPECT_EQ(phys_of(0x2000), 0x7000u);
  insert(0x1000, page(0x6000));
  EXPECT_EQ(tlb->select_pcid(1), Selected::Switched);
  EXPECT_EQ(tlb->select_pcid(1), Selected::Same);
  EXPECT_EQ(phys_of(0x1000), 0x5000u);

  tlb->flush_pcid(2);
  EXPECT_EQ(tlb->select_pcid(1), Selected::Same);
  EXPECT_EQ(phys_of(0x1000), 0x5000u);
  (void)tlb->select_pcid(2);
  EXPECT_EQ(phys_of(0x1000), kNone);
  EXPECT_EQ(phys_of(0x2000), 0x7000u);
  tlb->flush_nonglobal();
  EXPECT_EQ(tlb->select_pcid(1), Selected::Switched);
  EXPECT_EQ(phys_of(0x1000), kNone);
  EXPECT_EQ(phys_of(0x2000), 0x7000u);
  tlb->flush_all();
  (void)tlb->select_pcid(1);
  EXPECT_EQ(phys_of(0x2000), kNone);
}

constexpr u64 k2M = u64{2} << 20;

TEST_F(SecondLevelTest, LargePagesGoAsAWhole) {
  for (const u64 bytes : {k2M, u64{4} << 20, u64{1} << 30}) {
    SCOPED_TRACE(bytes);
    const u64 base = u64{0xffff'8880'4000'0000};
    const u64 pieces[] = {base, base + bytes / 2, base + bytes - 0x1000};
    for (const u64 piece : pieces) insert(piece, page(piece - base, bytes));
    EXPECT_EQ(phys_of(base + 0x5000), 0x5000u) << "a piece has 2 MiB";
    insert(base + bytes, page(0xa0'0000, bytes));
    insert(base - 0x1000, page(0xc0'0000 + bytes - 0x1000, bytes));
    drop_page(base + bytes / 4, 0, SecondLevelTlb::Globals::Keep);
    EXPECT_EQ(changed(), fmt::format("{:x}+{:x}", base, bytes));
    for (const u64 piece : pieces) EXPECT_EQ(phys_of(piece), kNone) << std::hex << piece;
    EXPECT_EQ(phys_of(base + bytes), 0xa0'0000u);
    EXPECT_EQ(phys_of(base - 0x1000), 0xc0'0000u + bytes - 0x1000);
    tlb->flush_all();
    (void)tlb->select_pcid(0);
    drop_page(base, 0, SecondLevelTlb::Globals::Keep);
    EXPECT_EQ(changed(), "");
  }
}

TEST_F(SecondLevelTest, AFaultDropsWhateverAnswers) {
  insert(0x1000, page(0x5000));
  insert(0x40'0000, page(0x80'0000, k2M, true));
  tlb->drop_address(0x1008, changes = TlbChanges());
  EXPECT_EQ(changed(), "1000+1000");
  tlb->drop_address(0x5f'f123, changes = TlbChanges());
  EXPECT_EQ(changed(), "400000+200000");
  EXPECT_EQ(phys_of(0x1000), kNone);
  EXPECT_EQ(phys_of(0x40'0000), kNone);
  tlb->drop_address(0x1008, changes = TlbChanges());
  EXPECT_EQ(changed(), "");
}

// Global before those of a space, then small before large.
TEST_F(SecondLevelTest, WhichOfSeveralAnswers) {
  const u64 at = 0x40'3000;
  (void)tlb->select_pcid(1);
  insert(at, page(0x80'3000, k2M));
  EXPECT_EQ(phys_of(at), 0x80'3000u);
  (void)tlb->select_pcid(2);
  insert(at - 0x1000, page(0xa0'2000, k2M, true));
  EXPECT_EQ(changed(), "400000+200000") << "it answers before what the space has of the range";
  (void)tlb->select_pcid(1);
  EXPECT_EQ(phys_of(at), 0xa0'3000u);
  (void)tlb->select_pcid(3);
  insert(at, page(0x5000));
  EXPECT_EQ(phys_of(at), 0x5000u) << "one address has one answer";
  EXPECT_EQ(phys_of(at - 0x1000), kNone);
  (void)tlb->select_pcid(1);
  EXPECT_EQ(phys_of(at), 0x80'3000u);
  insert(0x40'1000, page(0x6000));
  EXPECT_EQ(phys_of(at), kNone) << "the large page of the same space has gone";
}

TEST_F(SecondLevelTest, ChangesAreWhatAnswersOtherwise) {
  insert(0x1000, page(0x5000));
  EXPECT_EQ(changed(), "") << "there was no answer before";
  insert(0x1000, page(0x5000));
  EXPECT_EQ(changed(), "") << "nor is there another";
  insert(0x1000, page(0x6000));
  EXPECT_EQ(changed(), "1000+1000");
  Translation clean = page(0x6000);
  clean.dirty = false;
  insert(0x1000, clean);
  EXPECT_EQ(changed(), "1000+1000") << "stores are not allowed any more";
  insert(0x1000, page(0x6000));
  EXPECT_EQ(changed(), "") << "all is allowed that was, and stores";
  insert(0x1000, page(0x40'1000, k2M));
  EXPECT_EQ(changed(), "0+200000");
  insert(0x2000, page(0x40'2000, k2M));
  EXPECT_EQ(changed(), "") << "the same page";
  insert(0x3000, page(0x7000, kPageBytes, true));
  EXPECT_EQ(changed(), "0+200000") << "the large page has gone";
}

TEST_F(SecondLevelTest, WhatIsPutOutIsAChangeIfItAnswered) {
  *tlb = SecondLevelTlb(TlbGeometry{1, 1, 64});
  (void)tlb->select_pcid(0);
  for (u64 i = 0; i < 4; ++i) insert(0x1000 * i, page(0x5000));
  (void)tlb->select_pcid(1);
  insert(0x9000, page(0x5000));
  EXPECT_EQ(changed(), "") << "the oldest was of another space";
  (void)tlb->select_pcid(0);
  insert(0xa000, page(0x5000));
  EXPECT_EQ(changed(), "1000+1000");
  drop_page(0x2000, 0, SecondLevelTlb::Globals::Keep);
  insert(0xb000, page(0x5000));
  EXPECT_EQ(changed(), "") << "the oldest was a hole";
  for (u64 i = 0; i < 4; ++i) insert(k2M * (8 + i), page(0, k2M));
  insert(k2M * 20, page(0, k2M));
  EXPECT_EQ(changed(), "1000000+200000");
}

TEST_F(SecondLevelTest, GlobalLargePagesGoOnlyWhenAsked) {
  insert(0x20'0000, page(0, k2M, true));
  drop_page(0x20'0000, 0, SecondLevelTlb::Globals::Keep);
  EXPECT_EQ(phys_of(0x20'0000), 0u);
  drop_page(0x3f'f000, 5, SecondLevelTlb::Globals::Drop);
  EXPECT_EQ(phys_of(0x20'0000), kNone) << "global pages of any PCID";
}

// Space numbers run out: entries of before must not come back, and whoever holds global ones is told.
TEST_F(SecondLevelTest, SpaceNumbersWrapSafely) {
  *tlb = SecondLevelTlb(TlbGeometry{2048, 256, 100});
  (void)tlb->select_pcid(0);
  insert(0x1000, page(0x5000));
  insert(0x2000, page(0x7000, kPageBytes, true));
  unsigned emptied = 0;
  for (int i = 0; i < 700; ++i) {
    tlb->flush_pcid(0);
    const Selected selected = tlb->select_pcid(0);
    ASSERT_NE(selected, Selected::Same);
    ASSERT_EQ(tlb->find(0x1000), 0u) << i;
    if (selected == Selected::Emptied) {
      ++emptied;
      ASSERT_EQ(tlb->find(0x2000), 0u);
      insert(0x2000, page(0x7000, kPageBytes, true));
    } else {
      ASSERT_NE(tlb->find(0x2000), 0u);
    }
  }
  EXPECT_EQ(emptied, 7u);
  for (int i = 0; i < 700; ++i) {
    tlb->flush_all();
    ASSERT_EQ(tlb->select_pcid(7), Selected::Emptied);
    ASSERT_EQ(tlb->find(0x2000), 0u) << i;
    insert(0x2000, page(0x7000, kPageBytes, true));
  }
}

TEST_F(SecondLevelTest, IsSavedWithHolesAndDeadEntries) {
  *tlb = SecondLevelTlb(TlbGeometry::of(8));
  u64 random = 1;
  const auto next = [&random] {
    return (random = random * 0x5851'f42d'4c95'7f2d + 0x1405'7b7e'f767'814f) >> 33;
  };
  const auto step = [&](SecondLevelTlb& on, u64 what, u64 linear) {
    TlbChanges ignored;
    const auto pcid = static_cast<u16>(linear >> 20 & 3);
    if (what < 12)
      on.insert(linear,
                page(linear ^ 0x3000,
                     what < 3   ? k2M
                     : what < 4 ? u64{1} << 30
                                : kPageBytes,
                     what % 5 == 0),
                ignored);
    else if (what < 13)
      on.drop_page(linear, pcid, SecondLevelTlb::Globals::Drop, ignored);
    else if (what < 14)
      on.drop_address(linear, ignored);
    else if (what < 15)
      (void)on.select_pcid(pcid);
    else
      on.flush_pcid(static_cast<u16>(pcid + 4));
  };
  (void)tlb->select_pcid(0);
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 40; ++i) step(*tlb, next() % 16, next() << 12 & 0x7fff'f000);
    Archive saved;
    tlb->serialize(saved);
    SecondLevelTlb other(TlbGeometry::of(8));
    Archive loaded(saved.bytes());
    other.serialize(loaded);
    ASSERT_TRUE(loaded.ok());
    ASSERT_TRUE(other == *tlb);
    for (int i = 0; i < 200; ++i) {
      const u64 what = next() % 16, linear = next() << 12 & 0x7fff'f000;
      step(*tlb, what, linear);
      step(other, what, linear);
    }
    ASSERT_TRUE(other == *tlb) << "goes on alike";
  }
  Archive saved;
  tlb->serialize(saved);
  SecondLevelTlb larger;
  Archive loaded(saved.bytes());
  larger.serialize(loaded);
  EXPECT_FALSE(loaded.ok()) << "another geometry";
}

TEST_F(SecondLevelTest, RefusesNumbersThatCannotBe) {
  *tlb = SecondLevelTlb(TlbGeometry::of(8));
  (void)tlb->select_pcid(0);
  Archive saved;
  tlb->serialize(saved);
  for (const std::size_t at : {8u, 12u, 16u, 20u}) {  // behind the tag: current, global, next, that of PCID 0
    std::vector<u8> bytes(saved.bytes().begin(), saved.bytes().end());
    bytes[at + 2] = 0xff;
    Archive loaded(bytes);
    SecondLevelTlb other(TlbGeometry::of(8));
    other.serialize(loaded);
    EXPECT_FALSE(loaded.ok()) << at;
  }
}

TEST_F(SecondLevelTest, HighAndLowHalvesDoNotMix) {
  insert(0x0000'7fff'ffff'f000, page(0x1000));
  EXPECT_EQ(phys_of(0xffff'ffff'ffff'f000), kNone);
  insert(0xffff'ffff'ffff'f000, page(0x2000));
  EXPECT_EQ(phys_of(0x0000'7fff'ffff'f000), 0x1000u);
  insert(0xff00'0000'0000'0000, page(0x3000));
  EXPECT_EQ(phys_of(0x0000'0000'0000'0000), kNone);
  EXPECT_EQ(phys_of(0xff00'0000'0000'0000), 0x3000u);
}

}  // namespace
}  // namespace reprise::mmu
