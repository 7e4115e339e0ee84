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

/// The race is met by 5, which has to stand at another place for each set of others; `needed` are to be among these.
class Race {
 public:
  explicit Race(Kept needed) : needed_(std::move(needed)) {}
  static u64 place_with(const Kept& others) {
    u64 place = 1000;
    for (const std::size_t one : others) place += one * one;
    return place;
  }
  PlacesWith places() {
    return [this](const Kept& others, std::size_t) -> Result<std::vector<u64>> {
      ++looks;
      const u64 place = place_with(others);
      return std::vector<u64>{place + 7, place, place - 3};
    };
  }
  FirstMovedThatFails first() {
    return [this](std::span<const Moved> tried) -> Result<std::optional<std::size_t>> {
      for (std::size_t i = 0; i < tried.size(); ++i) {
        ++looks;
        if (tried[i].which == 5 && tried[i].to == place_with(tried[i].others) &&
            std::ranges::includes(tried[i].others, needed_))
          return std::optional(i);
      }
      return std::optional<std::size_t>();
    };
  }
  u64 looks = 0;

 private:
  const Kept needed_;
};

TEST(Shrink, WhatOnlyBringsAnotherToItsPlaceGoes) {
  const Kept kept = {1, 2, 3, 4, 5, 8, 9};
  const std::size_t movable[] = {2, 5};
  for (const Kept& needed : {Kept{}, Kept{3}, Kept{2, 9}, Kept{1, 2, 3}}) {
    Race race(needed);
    const auto found = fewer_with_one_moved(kept, movable, 10'000, race.places(), race.first());
    ASSERT_TRUE(found.ok());
    ASSERT_EQ(found.value().has_value(), needed.size() <= 2) << needed.size();
    if (!found.value()) continue;
    EXPECT_EQ(found.value()->others, needed);
    EXPECT_EQ(found.value()->which, 5u);
    EXPECT_EQ(found.value()->to, Race::place_with(needed));
  }
}

TEST(Shrink, ItIsNotMovedForNothingAndNotForEver) {
  // Two are not fewer than two.
  const std::size_t movable[] = {5};
  Race two({3});
  EXPECT_FALSE(fewer_with_one_moved({3, 5}, movable, 10'000, two.places(), two.first()).value());
  Race race({8, 9});
  EXPECT_FALSE(fewer_with_one_moved({1, 2, 3, 4, 5, 8, 9}, movable, 20, race.places(), race.first()).value());
  EXPECT_LE(race.looks, 24u);
}

}  // namespace
}  // namespace reprise::verdict
