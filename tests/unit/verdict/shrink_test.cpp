#include "verdict/shrink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace reprise::verdict {
namespace {

/// A test that fails when all of `needed` are there.
class Fails {
 public:
  explicit Fails(Kept needed) : needed_(std::move(needed)) {}
  bool operator()(const Kept& kept) {
    ++looks;
    return std::ranges::includes(kept, needed_);
  }
  FirstThatFails first() {
    return [this](std::span<const Kept> sets) -> Result<std::optional<std::size_t>> {
      for (std::size_t i = 0; i < sets.size(); ++i)
        if ((*this)(sets[i])) return std::optional(i);
      return std::optional<std::size_t>();
    };
  }
  unsigned looks = 0;

 private:
  const Kept needed_;
};

TEST(Shrink, FindsExactlyWhatIsNeeded) {
  std::mt19937_64 random(7);
  for (unsigned round = 0; round < 200; ++round) {
    const std::size_t count = 1 + random() % 300;
    Kept needed;
    for (std::size_t i = 0; i < count && needed.size() < 4; ++i)
      if (random() % 60 == 0) needed.push_back(i);
    Fails fails(needed);
    const auto kept = fewest_that_fail(count, 1 + random() % 5, fails.first());
    ASSERT_TRUE(kept.ok());
    EXPECT_EQ(kept.value(), needed) << count;
  }
}

TEST(Shrink, LooksSeldomWhereLittleIsNeeded) {
  Fails fails({40'000, 41'000});
  const auto kept = fewest_that_fail(100'000, 1, fails.first());
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(kept.value(), (Kept{40'000, 41'000}));
  EXPECT_LT(fails.looks, 200u);
}

TEST(Shrink, AnErrorEndsIt) {
  const auto kept = fewest_that_fail(
      10, 2, [](std::span<const Kept>) -> Result<std::optional<std::size_t>> { return Error{"no more"}; });
  ASSERT_FALSE(kept.ok());
  EXPECT_EQ(kept.error().message, "no more");
}

TEST(Shrink, BoundsAreThoseOfTheStretch) {
  for (const u64 low : {u64{0}, u64{17}, u64{99}, u64{100}})
    for (const u64 high : {u64{100}, u64{101}, u64{977}, u64{1000}}) {
      const auto fails = [&](u64 value) -> Result<bool> { return value >= low && value <= high; };
      EXPECT_EQ(farthest_that_fails(100, 0, fails).value(), low);
      EXPECT_EQ(farthest_that_fails(100, 1000, fails).value(), high);
    }
}

}  // namespace
}  // namespace reprise::verdict
