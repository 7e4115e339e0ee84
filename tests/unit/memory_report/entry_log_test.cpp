#include "machine/memory_report/entry_log.h"

#include <gtest/gtest.h>

namespace reprise::machine::memory_report {
namespace {

constexpr u64 kPage = 0x12'3000 | mmu::kPteP | mmu::kPteRw | mmu::kPteUs;
constexpr u64 kHuge = 0x40'0000 | mmu::kPteP | mmu::kPteRw | mmu::kPteUs | mmu::kPtePs;
constexpr u64 kSwap = (~u64{5} << 9 & 0x07ff'ffff'ffff'fe00) & ~mmu::kPteG;  // area 0
constexpr u64 kMigrating = u64{30} << 59 | 0x1000;
constexpr u64 kProtNone = 0x12'3000 | mmu::kPteG;

class EntryLogTest : public ::testing::Test {
 protected:
  void change(u64 before, u64 after, u64 ns, unsigned level = 1, u64 phys = 0x5008) {
    log.changed({phys, level, 0x7000, 3, before, after}, {ns, ns}, 0);
  }
  EntryLog log;
};

TEST_F(EntryLogTest, APageGoesAndComesBack) {
  change(kPage, 0, 1000);  // Linux clears first
  change(0, kSwap, 1010);
  EXPECT_EQ(log.count(EntryEvent::SwappedOut), 1u);
  EXPECT_EQ(log.out_now(), 1u);
  change(kSwap, kPage, 5106);
  EXPECT_EQ(log.count(EntryEvent::SwappedIn), 1u);
  EXPECT_EQ(log.sample(EntryEvent::SwappedIn)[0].away_ns, 4096u);
  EXPECT_EQ(log.away()[12], 1u);
  EXPECT_EQ(log.out_now(), 0u);
}

TEST_F(EntryLogTest, WhatForkCopiesWasNotSwappedOutHere) {
  change(0, kSwap, 1010);
  EXPECT_EQ(log.count(EntryEvent::SwappedOut), 0u);
  EXPECT_EQ(log.count(EntryEvent::SwapShared), 1u);
  change(kSwap, 0, 1020);
  EXPECT_EQ(log.count(EntryEvent::SwapDropped), 1u);
  EXPECT_EQ(log.out_now(), 0u);
}

TEST_F(EntryLogTest, OtherEntriesThatAreNotPresentAreNoSwap) {
  for (const u64 other : {kMigrating, kProtNone}) {
    change(kPage, other, 1000);
    change(other, kPage, 1010);
  }
  for (unsigned event = 0; event < kEntryEvents; ++event)
    EXPECT_EQ(log.count(static_cast<EntryEvent>(event)), 0u);
}

TEST_F(EntryLogTest, TheKernelsOwnPagesAreNotSwapped) {
  log.changed({0x5008, 1, 0xffff'8880'0000'7000, 3, kPage, kSwap}, {1000, 1000}, 0);
  EXPECT_EQ(log.count(EntryEvent::SwappedOut), 0u);
}

TEST_F(EntryLogTest, HugePages) {
  change(0, kHuge, 1000, 2);
  EXPECT_EQ(log.count(EntryEvent::HugeMade), 1u);
  // Split: P goes first, then the table comes.
  change(kHuge, kHuge & ~mmu::kPteP, 1010, 2);
  change(kHuge & ~mmu::kPteP, kPage, 1020, 2);
  EXPECT_EQ(log.count(EntryEvent::HugeSplit), 1u);
  // Joined again: the table is cleared, then the page comes.
  change(kPage, 0, 1030, 2);
  change(0, kHuge, 1040, 2);
  EXPECT_EQ(log.count(EntryEvent::HugeJoined), 1u);
  EXPECT_EQ(log.count(EntryEvent::HugeMade), 1u);
  // Moved or protected: neither.
  change(kHuge, kHuge & ~mmu::kPteRw, 1050, 2);
  change(kHuge, 0, 1060, 2);
  change(0, kHuge, 1070, 2);
  EXPECT_EQ(log.count(EntryEvent::HugeMade), 1u);
  EXPECT_EQ(log.count(EntryEvent::HugeSplit), 1u);
}

}  // namespace
}  // namespace reprise::machine::memory_report
