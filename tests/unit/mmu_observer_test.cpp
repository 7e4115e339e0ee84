// What a PagingObserver is told, and that nothing else changes.
#include <gtest/gtest.h>

#include "tests/unit/mmu_fixture.h"

namespace reprise::mmu {
namespace {

struct Notes final : PagingObserver {
  struct Store {
    u64 phys, before, after;
    bool operator==(const Store&) const = default;
  };
  void touched(u64 linear, Access, View, bool) override { pages.push_back(linear & kPageMask); }
  void walked(u64 linear, Access, const Translation&, bool held) override {
    walks.push_back(linear);
    held_by_tlb.push_back(held);
  }
  void faulted(u64, u32) override {}
  void space_changed() override { ++spaces; }
  void word_stored(u64 phys, u64 before, u64 after) override { stores.push_back({phys, before, after}); }
  std::vector<u64> pages, walks;
  std::vector<bool> held_by_tlb;
  std::vector<Store> stores;
  int spaces = 0;
};

class MmuObserverTest : public MmuTest {
 protected:
  MmuObserverTest() {
    enter_long_mode();
    map(0x40'0000, 0x10'0000);
    map(0x40'1000, 0x10'1000);
    mmu->observe(&notes, &watched);
  }
  ~MmuObserverTest() override { mmu->observe(nullptr, nullptr); }
  PhysPages watched;
  Notes notes;
};

TEST_F(MmuObserverTest, TellsOfTheFirstAccessOfAPageOnlyUntilTagsAreDropped) {
  load64(0x40'0010);
  load64(0x40'0018);
  EXPECT_EQ(notes.pages, (std::vector<u64>{0x40'0000}));
  mmu->drop_all_tags();
  load64(0x40'0020);
  EXPECT_EQ(notes.pages, (std::vector<u64>{0x40'0000, 0x40'0000}));
  EXPECT_EQ(notes.walks.size(), 1u);
}

TEST_F(MmuObserverTest, TellsOfBothPagesOfAnAccessThatCrosses) {
  load64(0x40'0ffc);
  EXPECT_EQ(notes.pages, (std::vector<u64>{0x40'0000, 0x40'1000}));
}

TEST_F(MmuObserverTest, GeneratedCodeGetsNoTagsBehindItsBack) {
  load64(0x40'0010);
  mmu->drop_all_tags();
  EXPECT_FALSE(mmu->refill(0x40'0010, Access::Read, View::Kernel));
  mmu->observe(nullptr, nullptr);
  EXPECT_TRUE(mmu->refill(0x40'0010, Access::Read, View::Kernel));
}

TEST_F(MmuObserverTest, TellsWhetherTheTlbHeldSomething) {
  load64(0x40'0010);
  EXPECT_TRUE(mmu->store(0x40'0010, u64{1}));  // sets D
  EXPECT_EQ(notes.held_by_tlb, (std::vector<bool>{false, true}));
}

TEST_F(MmuObserverTest, EveryStoreToAWatchedPageIsTold) {
  EXPECT_TRUE(mmu->store(0x40'0010, u64{1}));  // leaves a tag
  watched.add(0x10'0000);
  mmu->drop_write_tags(0x10'0000);
  EXPECT_TRUE(mmu->store(0x40'0010, u64{2}));
  EXPECT_TRUE(mmu->store(0x40'0010, u64{2}));  // nothing changes
  EXPECT_TRUE(mmu->store(0x40'0014, u64{7}));  // two words
  EXPECT_EQ(notes.stores, (std::vector<Notes::Store>{{0x10'0010, 1, 2}, {0x10'0010, 2, u64{7} << 32 | 2}}));
  EXPECT_EQ(mmu->write_pointer(0x40'0010, 8), nullptr);
  EXPECT_TRUE(mmu->store(0x40'1010, u64{5}));  // not watched
  EXPECT_EQ(notes.stores.size(), 2u);
  EXPECT_NE(mmu->write_pointer(0x40'1010, 8), nullptr);
}

TEST_F(MmuObserverTest, TellsOfEachWriteOfCr3) {
  mmu->set_cr3(root);
  mmu->set_cr3(root);
  EXPECT_EQ(notes.spaces, 2);
}

}  // namespace
}  // namespace reprise::mmu
