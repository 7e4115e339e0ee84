#include "machine/memory_report/windows.h"

#include <gtest/gtest.h>

#include "machine/memory_report/sampled.h"

namespace reprise::machine::memory_report {
namespace {

TEST(WindowScale, GetsWiderWhenThereAreTooMany) {
  WindowScale scale(500);
  EXPECT_EQ(scale.move_to(500 + 3 * WindowScale::kFinestNs), 0u);
  EXPECT_EQ(scale.current(), 3u);
  EXPECT_EQ(scale.end_ns(), 500 + 4 * WindowScale::kFinestNs);
  EXPECT_EQ(scale.move_to(500 + 1024 * WindowScale::kFinestNs), 1u);
  EXPECT_EQ(scale.current(), 512u);
  EXPECT_EQ(scale.move_to(500 + 8 * 1024 * WindowScale::kFinestNs), 3u);
  EXPECT_EQ(scale.current(), 512u);
  EXPECT_EQ(scale.width_ns(), 16 * WindowScale::kFinestNs);
}

TEST(WindowScale, NeverHasMoreThanItMay) {
  WindowScale scale(0);
  for (u64 ns = 1; ns < u64{1} << 60; ns = ns * 3 + 1) {
    scale.move_to(ns);
    EXPECT_LT(scale.current(), WindowScale::kMaxWindows);
  }
}

TEST(Series, JoinsPairs) {
  Series sum(Joined::Sum);
  Series last(Joined::Last);
  for (const auto& [window, value] : {std::pair{0u, u64{5}}, {1u, u64{7}}, {4u, u64{2}}}) {
    sum.add(window, value);
    last.set(window, value);
  }
  EXPECT_EQ(last.values(), (std::vector<u64>{5, 7, 7, 7, 2}));
  sum.halve();
  last.halve();
  EXPECT_EQ(sum.values(), (std::vector<u64>{12, 0, 2}));
  EXPECT_EQ(last.values(), (std::vector<u64>{7, 7, 2}));
}

TEST(Sampled, KeepsSomeThatAreSpreadEvenly) {
  Sampled<u64> sampled;
  for (u64 i = 0; i < 100'000; ++i) sampled.add(i);
  EXPECT_EQ(sampled.count(), 100'000u);
  const std::vector<u64>& kept = sampled.kept();
  ASSERT_LE(kept.size(), Sampled<u64>::kMax);
  ASSERT_GE(kept.size(), Sampled<u64>::kMax / 2 - 1);
  const u64 stride = kept[1] - kept[0];
  for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i], i * stride);
}

}  // namespace
}  // namespace reprise::machine::memory_report
