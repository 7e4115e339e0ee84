#include "cpu/blocks/block_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace reprise::cpu {
namespace {

struct Removals final : BlockListener {
  void block_removed(Block& block) override { blocks.push_back(&block); }
  void block_suspended(Block& block) override { suspended.push_back(&block); }
  std::vector<Block*> blocks;
  std::vector<Block*> suspended;
};

struct BlockCacheTest : ::testing::Test {
  BlockCacheTest() { cache.set_listener(removals); }

  Block* add(u64 phys, u32 bytes, u32 mode_bits = 0, u64 second_phys = ~u64{0}) {
    Block* block = cache.make(1 + bytes % Block::kMaxInsns);
    block->phys = phys;
    block->second_phys = second_phys;
    block->bytes = bytes;
    block->mode = ModeKey{mode_bits};
    return cache.insert(block);
  }

  mmu::CodePages pages;
  Removals removals;
  BlockCache cache{pages};
};

TEST_F(BlockCacheTest, ModeAndAddressAreTheKey) {
  Block* const one = add(0x1000, 4, 1);
  Block* const other = add(0x1000, 4, 2);
  EXPECT_EQ(cache.find(0x1000, ModeKey{1}), one);
  EXPECT_EQ(cache.find(0x1000, ModeKey{2}), other);
  EXPECT_EQ(cache.find(0x1000, ModeKey{3}), nullptr);
  EXPECT_EQ(cache.find(0x1001, ModeKey{1}), nullptr);
}

TEST_F(BlockCacheTest, StaysCompleteWhileItGrows) {
  constexpr u64 kBlocks = 100'000;
  for (u64 i = 0; i < kBlocks; ++i) add(i * 7, 5);
  EXPECT_EQ(cache.blocks(), kBlocks);
  for (u64 i = 0; i < kBlocks; ++i) {
    const Block* const block = cache.find(i * 7, ModeKey{});
    ASSERT_NE(block, nullptr) << i;
    ASSERT_EQ(block->phys, i * 7);
  }
  EXPECT_EQ(cache.find(3, ModeKey{}), nullptr);
}

TEST_F(BlockCacheTest, AStoreRemovesWhatItOverlapsAndNothingElse) {
  Block* const before = add(0x2000, 0x10);
  Block* const hit = add(0x2010, 0x10);
  Block* const also_hit = add(0x2018, 0x20);
  Block* const after = add(0x2020, 0x10);
  cache.code_written(0x201f, 1);
  EXPECT_EQ(cache.find(0x2000, ModeKey{}), before);
  EXPECT_EQ(cache.find(0x2020, ModeKey{}), after);
  EXPECT_EQ(cache.find(0x2010, ModeKey{}), nullptr);
  EXPECT_EQ(cache.find(0x2018, ModeKey{}), nullptr);
  EXPECT_EQ(cache.invalidations(), 2u);
  std::sort(removals.blocks.begin(), removals.blocks.end());
  std::vector<Block*> expected{hit, also_hit};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(removals.blocks, expected);
}

TEST_F(BlockCacheTest, TheLastBlockOfAPageTakesItsMarkAlong) {
  add(0x2000, 0x10);
  add(0x2100, 0x10);
  EXPECT_TRUE(pages.written(0x2000, 1));
  EXPECT_TRUE(pages.has_code(0x2000));
  EXPECT_TRUE(pages.written(0x2100, 1));
  EXPECT_FALSE(pages.written(0x2100, 1));
  EXPECT_FALSE(pages.has_code(0x2000));
}

// Once stores come close to the code of a page, its blocks wait for their bytes to come back.
TEST_F(BlockCacheTest, ABlockComesBackWithItsBytes) {
  const std::vector<u8> first{1, 2, 3, 4, 5}, second{1, 2, 9, 4, 5};
  Block* const unknown = add(0x2000, 4);
  cache.remember(unknown, first);  // its page is not written
  EXPECT_TRUE(pages.written(0x2002, 1));
  EXPECT_EQ(removals.blocks, std::vector<Block*>{unknown});
  EXPECT_FALSE(pages.written(0x2002, 1));

  Block* const a = add(0x2000, 4);
  cache.remember(a, first);
  EXPECT_TRUE(pages.written(0x2002, 1));
  EXPECT_EQ(removals.suspended, std::vector<Block*>{a});
  EXPECT_EQ(cache.find(0x2000, ModeKey{}), nullptr);
  EXPECT_EQ(cache.blocks(), 0u);
  EXPECT_EQ(cache.revive(0x2000, ModeKey{}, second), nullptr);
  Block* const b = add(0x2000, 4);
  cache.remember(b, second);
  EXPECT_TRUE(pages.written(0x2002, 1));
  EXPECT_EQ(cache.revive(0x2000, ModeKey{1}, first), nullptr);
  EXPECT_EQ(cache.revive(0x2001, ModeKey{}, first), nullptr);
  EXPECT_EQ(cache.revive(0x2000, ModeKey{}, std::span(first).first(3)), nullptr)
      << "too few bytes to the page's end";
  EXPECT_EQ(cache.revive(0x2000, ModeKey{}, first), a);
  EXPECT_EQ(cache.find(0x2000, ModeKey{}), a);
  EXPECT_TRUE(pages.may_hit_code(0x2003, 1));
  EXPECT_EQ(cache.revive(0x2000, ModeKey{}, first), nullptr) << "only once";
  EXPECT_EQ(cache.revivals(), 1u);
  EXPECT_EQ(removals.blocks, std::vector<Block*>{unknown});
  cache.flush();
  EXPECT_EQ(removals.blocks.size(), 3u) << "b too";
  EXPECT_EQ(cache.revive(0x2000, ModeKey{}, second), nullptr);
}

// Ever new places that come and go: as many are too many, and the first are given up.
TEST_F(BlockCacheTest, OnlySomePlacesAreKept) {
  const std::vector<u8> bytes{1, 2};
  for (u64 phys = 0; phys < 100 * kPageBytes; phys += 8) {
    for (int i = 0; i < 2; ++i) {
      cache.remember(add(phys, 2), bytes);
      pages.written(phys, 1);
      pages.written(phys, 1);
    }
    if (phys >= kPageBytes) (void)cache.revive(phys, ModeKey{}, bytes);
  }
  EXPECT_GT(removals.suspended.size(), 50'000u);
  EXPECT_EQ(cache.revive(8, ModeKey{}, bytes), nullptr);
}

TEST_F(BlockCacheTest, OnlySomeVersionsOfAPlaceAreKept) {
  add(0x2000, 2);
  pages.written(0x2000, 1);
  pages.written(0x2000, 1);
  for (u8 version = 0; version < 100; ++version) {
    cache.remember(add(0x2000, 2), std::vector<u8>{version, 0});
    EXPECT_TRUE(pages.written(0x2000, 1));
  }
  EXPECT_GT(removals.blocks.size(), 50u);
  EXPECT_LT(removals.blocks.size(), 100u);
  EXPECT_EQ(cache.revive(0x2000, ModeKey{}, std::vector<u8>{0, 0}), nullptr);
  EXPECT_NE(cache.revive(0x2000, ModeKey{}, std::vector<u8>{99, 0}), nullptr);
}

TEST_F(BlockCacheTest, LinesWithoutCodeAreForgottenAfterAStore) {
  add(0x2000, 0x10);
  Block* const kept = add(0x2050, 0x40);  // lines 1 and 2
  EXPECT_TRUE(pages.written(0x2000, 1));
  EXPECT_FALSE(pages.written(0x2000, 1));
  EXPECT_FALSE(pages.written(0x2040, 1)) << "its line has code, but not there";
  EXPECT_FALSE(pages.written(0x204f, 1));
  EXPECT_TRUE(pages.written(0x2080, 1));
  EXPECT_EQ(cache.find(0x2050, ModeKey{}), nullptr) << "and this store hit it";
  EXPECT_EQ(removals.blocks.back(), kept);
}

TEST_F(BlockCacheTest, BlocksThatComeAfterAStoreIntoTheirPageAreFoundByTheNext) {
  add(0x2000, 0x10);
  EXPECT_FALSE(pages.written(0x2030, 4));
  Block* const late = add(0x2032, 1);
  EXPECT_FALSE(pages.written(0x202e, 4));
  EXPECT_TRUE(pages.written(0x202f, 4));
  EXPECT_EQ(removals.blocks.back(), late);
  EXPECT_FALSE(pages.written(0x202f, 4));
}

TEST_F(BlockCacheTest, ACrossingBlockBelongsToBothPages) {
  add(0x2ffe, 6, 0, 0x7000);
  EXPECT_TRUE(pages.has_code(0x7000));
  cache.code_written(0x7004, 1);
  EXPECT_NE(cache.find(0x2ffe, ModeKey{}), nullptr) << "its last byte is at 0x7003";
  cache.code_written(0x7003, 1);
  EXPECT_EQ(cache.find(0x2ffe, ModeKey{}), nullptr);
  add(0x2ffe, 6, 0, 0x7000);
  cache.code_written(0x2fff, 1);
  EXPECT_EQ(cache.find(0x2ffe, ModeKey{}), nullptr);
  cache.code_written(0x7000, 1);  // its list must be empty, not stale
  EXPECT_EQ(cache.blocks(), 0u);
}

// Two neighbouring linear pages may be one page of memory.
TEST_F(BlockCacheTest, ACrossingBlockMayHaveBothPartsInOnePage) {
  add(0x2ffe, 6, 0, 0x2000);
  cache.code_written(0x2003, 1);
  EXPECT_EQ(cache.find(0x2ffe, ModeKey{}), nullptr);
  EXPECT_EQ(cache.blocks(), 0u);
  pages.refresh(0x2000);
  EXPECT_FALSE(pages.has_code(0x2000));
}

TEST_F(BlockCacheTest, MemoryOfRemovedBlocksServesNewOnesAfterCollect) {
  Block* const old = add(0x1000, 3);
  cache.remove(old);
  EXPECT_NE(add(0x1000, 3), old) << "it may be running";
  cache.collect();
  EXPECT_EQ(add(0x2000, 3), old);
}

TEST_F(BlockCacheTest, TheOldestGoWhenThereAreTooMany) {
  constexpr u64 kMaxBytes = 1u << 20;
  mmu::CodePages own_pages;
  BlockCache small(own_pages, kMaxBytes);
  u64 added = 0;
  const auto add_one = [&] {
    Block* block = small.make(1);
    block->phys = 0x10 * added++;
    block->bytes = 1;
    small.insert(block);
  };
  const auto there = [&](u64 index) { return small.find(0x10 * index, ModeKey{}) != nullptr; };
  do {
    add_one();
  } while (there(0));
  u64 first = 0;
  while (!there(first)) ++first;
  EXPECT_LT(first, added / 4);
  for (u64 i = first; i < added; ++i) ASSERT_TRUE(there(i)) << i;
  for (u64 i = 10 * added; i > 0; --i) add_one();
  EXPECT_EQ(small.blocks() * (sizeof(Block) + sizeof(Insn)), small.bytes());
  EXPECT_LE(small.bytes(), kMaxBytes);
  EXPECT_GT(small.bytes(), kMaxBytes * 3 / 4);
}

TEST_F(BlockCacheTest, FlushForgetsEverything) {
  for (u64 i = 0; i < 1000; ++i) add(i * 0x40, 5);
  cache.flush();
  EXPECT_EQ(removals.blocks.size(), 1000u);
  EXPECT_EQ(cache.blocks(), 0u);
  EXPECT_FALSE(pages.has_code(0x1000));
  cache.collect();
  Block* const block = add(0x40, 5);
  EXPECT_EQ(cache.find(0x40, ModeKey{}), block);
  EXPECT_EQ(cache.find(0x80, ModeKey{}), nullptr);
}

}  // namespace
}  // namespace reprise::cpu
