#include "machine/memory_report/working_sets.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace reprise::machine::memory_report {
namespace {

TEST(WorkingSets, EveryWidthOfWindowsIsExact) {
  WorkingSets sets;
  std::mt19937 random(1);
  using Pages = std::set<u64>;
  std::map<std::tuple<unsigned, u32, u32>, Pages> expected;  // by level, space, window
  for (u32 window = 0; window < 300; window += random() % 3) {
    const u32 space = random() % 4;
    // Kernel addresses too; pages near each other and far apart.
    const u64 linear =
        (random() % 2 ? 0xffff'8880'0000'0000 : 0x5000) + (random() % 40 << (random() % 2 ? 12 : 30));
    sets.touch(space, linear + random() % 4096, window);
    for (unsigned level = 0; level < WindowScale::kLevels; ++level)
      expected[{level, space, window >> level}].insert(linear);
  }
  for (unsigned level = 0; level < WindowScale::kLevels; ++level) {
    for (u32 space = 0; space < 4; ++space) {
      for (const WorkingSets::Count& count : sets.counts(space, level)) {
        const auto found = expected.find({level, space, count.window});
        ASSERT_NE(found, expected.end());
        EXPECT_EQ(found->second.size(), count.pages);
        expected.erase(found);
      }
    }
  }
  EXPECT_TRUE(expected.empty());
  EXPECT_TRUE(sets.exact());
}

TEST(WorkingSets, KeepsToItsBoundAndSaysSo) {
  WorkingSets sets(u64{1} << 16);
  for (u64 page = 0; page < 200'000; ++page)
    sets.touch(5, page << kPageShift, static_cast<u32>(page / 10'000));
  EXPECT_FALSE(sets.exact());
  for (const WorkingSets::Count& count : sets.counts(5, 0)) EXPECT_EQ(count.pages, 10'000u);
}

TEST(WorkingSets, SpacesThatHaveEndedMakeRoomAtNoCost) {
  WorkingSets sets(u64{1} << 16);
  u32 running = 0;
  sets.set_ended([&](u32 space) { return space < running; });
  for (running = 0; running < 50; ++running)
    for (u64 page = 0; page < 10'000; ++page) sets.touch(running, page << kPageShift, running);
  EXPECT_TRUE(sets.exact());
  for (u32 space = 0; space < 50; ++space) {
    ASSERT_EQ(sets.counts(space, 31).size(), 1u);
    EXPECT_EQ(sets.counts(space, 31)[0].pages, 10'000u);
  }
}

}  // namespace
}  // namespace reprise::machine::memory_report
