#include "verdict/costs.h"

#include <gtest/gtest.h>

namespace reprise::verdict {
namespace {

TEST(Costs, PercentagesAreExact) {
  EXPECT_EQ(millionths_of_percent("0.5%"), 5'000u);
  EXPECT_EQ(millionths_of_percent("3%"), 30'000u);
  EXPECT_EQ(millionths_of_percent("0.0001%"), 1u);
  EXPECT_EQ(millionths_of_percent("0%"), 0u);
  for (const char* text : {"", "%", "0.5", "-1%", "x%", "1.%", ".5%", "0.00001%", "1.x%", "1e3%"})
    EXPECT_EQ(millionths_of_percent(text), std::nullopt) << text;
}

TEST(Costs, OnlyWhatGrewMoreThanItMayCounts) {
  const CostChange change{.test = "t", .words = "exits", .before = 1000, .now = 1005};
  EXPECT_FALSE(change.grew_beyond(5'000));
  EXPECT_TRUE(change.grew_beyond(4'999));
  EXPECT_EQ(change.text(), "t: exits 1005, before 1000 (+0.500 %)");
  const CostChange fewer{.test = "t", .words = "exits", .before = 1000, .now = 1};
  EXPECT_FALSE(fewer.grew_beyond(0));
  const CostChange first{.test = "t", .words = "exits", .before = 0, .now = 1};
  EXPECT_TRUE(first.grew_beyond(1'000'000'000));
  const CostChange huge{.test = "t", .words = "exits", .before = ~u64{0} / 2, .now = ~u64{0}};
  EXPECT_FALSE(huge.grew_beyond(1'100'000));
}

TEST(Costs, ChangesNameWhatChanged) {
  const Costs before{.instructions = 10, .tlb_misses = 2, .exits = 3, .disk_bytes = 4, .network_bytes = 5};
  Costs now = before;
  EXPECT_TRUE(changes("t", before, now).empty());
  now.exits = 4;
  const auto changed = changes("t", before, now);
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_EQ(changed[0].words, "exits");
  EXPECT_EQ(since(now, before), Costs{.exits = 1});
  EXPECT_EQ(sum(since(now, before), before), now);
  EXPECT_EQ(costs_text(before),
            "instructions 10, TLB misses 2, exits 3, bytes of disks 4, bytes of networks 5");
}

}  // namespace
}  // namespace reprise::verdict
