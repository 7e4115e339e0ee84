#include "machine/memory_report/page_tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "mmu/ram.h"

namespace reprise::machine::memory_report {
namespace {

constexpr u64 kRamBytes = u64{4} << 20;
constexpr u64 kTable = mmu::kPteP | mmu::kPteRw | mmu::kPteUs;

class PageTablesTest : public ::testing::Test {
 protected:
  PageTablesTest() : ram(mmu::Ram::create(kRamBytes).take()), map(*ram) {
    EXPECT_TRUE(map.add_ram("ram", 0, kRamBytes, 0));
  }
  /// As an instruction would, and as the MMU tells of it.
  void store(u64 phys, u64 value) {
    const u64 before = read_unaligned<u64>(ram->host() + phys);
    write_unaligned(ram->host() + phys, value);
    if (value != before && tables.watched().contains(phys)) tables.word_stored(phys, before, value);
  }
  u64 all_tables(unsigned level) const {
    return tables.tables(level, PageTables::Half::Lower) + tables.tables(level, PageTables::Half::Upper);
  }

  std::unique_ptr<mmu::Ram> ram;
  mmu::PhysMap map;
  std::vector<u64> in_cr3;
  std::vector<u64> ended;
  std::vector<EntryChange> changes;
  PageTables tables{map,
                    {.watch = [](u64) {},
                     .changed = [this](const EntryChange& change) { changes.push_back(change); },
                     .in_use = [this](u64 root) { return std::ranges::find(in_cr3, root) != in_cr3.end(); },
                     .ended = [this](u64 root) { ended.push_back(root); }}};
};

TEST_F(PageTablesTest, FollowsWhatIsThereAndWhatComes) {
  store(0x1000, 0x2000 | kTable);            // the root's first
  store(0x1000 + 511 * 8, 0x3000 | kTable);  // and last entry
  store(0x2000 + 8, 0x4000 | kTable);
  tables.loaded(0x1000, 4, 7);
  EXPECT_EQ(tables.tables(4, PageTables::Half::Lower), 1u);
  EXPECT_EQ(tables.tables(3, PageTables::Half::Lower), 1u);
  EXPECT_EQ(tables.tables(3, PageTables::Half::Upper), 1u);
  EXPECT_EQ(all_tables(2), 1u);

  store(0x4000 + 2 * 8, 0x5000 | kTable);
  EXPECT_EQ(all_tables(1), 1u);
  store(0x5000 + 3 * 8, 0x10'0000 | kTable);
  EXPECT_EQ(tables.mapped(1, PageTables::Half::Lower), 1u);
  EXPECT_EQ(changes.back().linear, (u64{1} << 30) + (u64{2} << 21) + (u64{3} << 12));
  EXPECT_EQ(changes.back().space, 7u);
  store(0x3000 + 510 * 8, 0x6000 | kTable);
  store(0x6000 + 8, 0x20'0000 | kTable | mmu::kPtePs);
  EXPECT_EQ(changes.back().linear, 0xffff'ffff'8020'0000u);
  EXPECT_EQ(tables.mapped(2, PageTables::Half::Upper), 1u);

  std::vector<u64> mapped;
  tables.for_each_mapped(0x1000, PageTables::Half::Lower,
                         [&](u64 linear, unsigned, u64) { mapped.push_back(linear); });
  tables.for_each_mapped(0x1000, PageTables::Half::Upper,
                         [&](u64 linear, unsigned, u64) { mapped.push_back(linear); });
  EXPECT_EQ(mapped, (std::vector<u64>{0x4040'3000, 0xffff'ffff'8020'0000}));
}

TEST_F(PageTablesTest, ForgetsWhatNothingLeadsTo) {
  store(0x1000, 0x2000 | kTable);
  store(0x1000 + 511 * 8, 0x3000 | kTable);
  store(0x2000, 0x4000 | kTable);
  store(0x4000, 0x5000 | kTable);
  store(0x5000, 0x10'0000 | kTable);
  tables.loaded(0x1000, 4, 7);
  store(0x4000, 0);
  EXPECT_EQ(all_tables(1), 0u);
  EXPECT_EQ(tables.mapped(1, PageTables::Half::Lower), 0u);
  EXPECT_FALSE(tables.watched().contains(0x5000));
  EXPECT_TRUE(tables.watched().contains(0x4000));
  store(0x1000, 0);  // the last of its lower half: the program has ended
  EXPECT_EQ(ended, (std::vector<u64>{0x1000}));
  for (unsigned level = 1; level <= 4; ++level) EXPECT_EQ(all_tables(level), 0u);
}

TEST_F(PageTablesTest, TablesThatSpacesShareGoWithTheLastOne) {
  for (const u64 root : {u64{0x1000}, u64{0x2000}}) {
    store(root, (0x8000 + root) | kTable);
    store(root + 256 * 8, 0x3000 | kTable);
    tables.loaded(root, 4, static_cast<u32>(root));
  }
  EXPECT_EQ(tables.tables(3, PageTables::Half::Upper), 1u);
  store(0x1000, 0);
  EXPECT_EQ(tables.tables(3, PageTables::Half::Upper), 1u);
  store(0x2000, 0);
  EXPECT_EQ(tables.tables(3, PageTables::Half::Upper), 0u);
}

TEST_F(PageTablesTest, ARootWhoseUpperHalfIsClearedIsNoneUnlessItIsUsed) {
  store(0x1000 + 300 * 8, 0x3000 | kTable);
  store(0x1000 + 400 * 8, 0x4000 | kTable);
  in_cr3 = {0x1000};
  tables.loaded(0x1000, 4, 7);
  store(0x1000 + 300 * 8, 0);
  EXPECT_TRUE(ended.empty());
  in_cr3.clear();
  store(0x1000 + 400 * 8, 0);
  EXPECT_EQ(ended, (std::vector<u64>{0x1000}));
}

TEST_F(PageTablesTest, WhatNoProcessorWouldTakeEndsATable) {
  store(0x1000, 0x2000 | kTable);
  tables.loaded(0x1000, 4, 7);
  store(0x2000 + 16, 0xffff'8880'0123'4567);  // a pointer of the kernel's
  EXPECT_EQ(all_tables(3), 0u);
  EXPECT_FALSE(tables.watched().contains(0x2000));
}

TEST_F(PageTablesTest, ATableThatContainsItselfEnds) {
  store(0x1000 + 511 * 8, 0x1000 | kTable);
  tables.loaded(0x1000, 4, 7);
  for (unsigned level = 1; level <= 4; ++level) EXPECT_EQ(all_tables(level), 1u);
  store(0x1000, 0x2000 | kTable);
  EXPECT_EQ(all_tables(3), 2u);
  store(0x1000, 0);
  EXPECT_EQ(ended, (std::vector<u64>{0x1000}));
}

/// What a walk through all tables finds, from the roots on.
struct Found {
  std::map<std::pair<u64, unsigned>, u64> references;
  u64 mapped[4] = {};
};

// Whatever is stored, the counts are those that a look at all of it would find.
TEST_F(PageTablesTest, CountsAgreeWithALookAtEverything) {
  std::mt19937_64 random(3);
  constexpr u64 kPages = 24;
  const auto page_at = [](u64 number) { return 0x1000 * (1 + number); };
  tables.loaded(page_at(0), 4, 1);
  in_cr3 = {page_at(0)};
  for (unsigned i = 0; i < 30'000; ++i) {
    // Level by page, as a kernel would have it, so that roots stay roots.
    const u64 number = random() % kPages;
    const unsigned level = number == 0 ? 4 : number < 4 ? 3 : number < 10 ? 2 : 1;
    const u64 slot = page_at(number) + 8 * (level == 4 ? 256 + random() % 4 : random() % 4);
    u64 value = 0;
    if (random() % 3 != 0) {
      const u64 below = level == 4   ? 1 + random() % 3
                        : level == 3 ? 4 + random() % 6
                                     : 10 + random() % (kPages - 10);
      value = level == 1 || (level == 2 && random() % 4 == 0)
                  ? (random() % 8 << 21) | kTable | (level == 2 ? mmu::kPtePs : 0)
                  : page_at(below) | kTable;
    }
    store(slot, value);
    if (i % 100 != 0) continue;
    Found found;
    const auto visit = [&](auto&& self, u64 page, unsigned at) -> void {
      if (found.references[{page, at}]++ != 0) return;
      for (u64 index = 0; index < 512; ++index) {
        const u64 raw = read_unaligned<u64>(ram->host() + page + 8 * index);
        if (is_leaf(raw, at)) ++found.mapped[at];
        if (is_link(raw, at)) self(self, raw & kEntryAddress, at - 1);
      }
    };
    visit(visit, page_at(0), 4);
    std::map<unsigned, u64> by_level;
    for (const auto& [key, references] : found.references) ++by_level[key.second];
    for (unsigned at = 1; at <= 4; ++at)
      ASSERT_EQ(all_tables(at), by_level[at]) << "step " << i << ", level " << at;
    for (unsigned at = 1; at <= 3; ++at)
      ASSERT_EQ(tables.mapped(at, PageTables::Half::Lower) + tables.mapped(at, PageTables::Half::Upper),
                found.mapped[at]);
  }
}

}  // namespace
}  // namespace reprise::machine::memory_report
