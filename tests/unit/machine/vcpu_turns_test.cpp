#include "machine/board/vcpu_turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <span>
#include <vector>

namespace reprise::machine {
namespace {

constexpr u64 kShortest = 5'000, kLongest = 50'000;
Schedule seeded(u64 seed) { return {.seed = seed, .shortest = kShortest, .longest = kLongest}; }
Schedule pct(u64 seed, u64 depth, u64 length) {
  return {.policy = Schedule::Policy::Pct, .seed = seed, .depth = depth, .length = length};
}

TEST(VcpuTurns, ALoneProcessorNeverEndsItsTurn) {
  VcpuTurns turns(1, seeded(1));
  EXPECT_EQ(turns.left(~u64{0} - 1), VcpuTurns::kNever);
  EXPECT_TRUE(turns.pass(5, 1));
  EXPECT_EQ(turns.current(), 0u);
  EXPECT_EQ(turns.left(5), VcpuTurns::kNever);
}

TEST(VcpuTurns, TurnsGoRoundAndAreAsLongAsPromised) {
  VcpuTurns turns(3, seeded(1));
  u64 position = 0;
  std::vector<u64> lengths;
  for (unsigned i = 0; i < 300; ++i) {
    EXPECT_EQ(turns.current(), i % 3);
    const u64 length = turns.left(position);
    EXPECT_GE(length, kShortest);
    EXPECT_LE(length, kLongest);
    EXPECT_EQ(turns.left(position + 1), length - 1);
    EXPECT_EQ(turns.left(position + length), 0u);
    EXPECT_EQ(turns.left(position + length + 7), 0u);
    lengths.push_back(length);
    position += length;
    ASSERT_TRUE(turns.pass(position, 0b111));
  }
  std::ranges::sort(lengths);
  EXPECT_LT(lengths.front(), 6'000u);
  EXPECT_GT(lengths.back(), 48'000u);
}

TEST(VcpuTurns, SeedsThatFollowEachOtherGiveUnlikeTurns) {
  const auto lengths = [](u64 seed) {
    VcpuTurns turns(2, seeded(seed));
    std::vector<u64> all;
    for (u64 position = 0; all.size() < 50; turns.pass(position, 0b11)) {
      all.push_back(turns.left(position));
      position += all.back();
    }
    return all;
  };
  const std::vector<u64> one = lengths(1), other = lengths(2);
  for (const u64 length : std::span(one).subspan(1, 20))
    EXPECT_EQ(std::ranges::find(other, length), other.end()) << "the same turns, one later";
}

TEST(VcpuTurns, OneThatWaitsIsLeftOut) {
  VcpuTurns turns(3, seeded(1));
  ASSERT_TRUE(turns.pass(10, 0b101));
  EXPECT_EQ(turns.current(), 2u);
  ASSERT_TRUE(turns.pass(20, 0b100));
  EXPECT_EQ(turns.current(), 2u) << "there is nobody else: another turn";
  EXPECT_GE(turns.left(20), kShortest);
  const u64 left = turns.left(21);
  EXPECT_FALSE(turns.pass(21, 0));
  EXPECT_EQ(turns.current(), 2u);
  EXPECT_EQ(turns.left(21), left);
}

TEST(VcpuTurns, TheSeedDecidesAndASaveGoesOnAlike) {
  const auto lengths = [](VcpuTurns& turns) {
    std::vector<u64> all;
    for (u64 position = 1'000'000; all.size() < 20; position += all.back()) {
      turns.pass(position, 0b11);
      all.push_back(turns.left(position));
    }
    return all;
  };
  VcpuTurns one(2, seeded(7));
  VcpuTurns same(2, seeded(7));
  VcpuTurns other(2, seeded(8));
  const std::vector<u64> first = lengths(one);
  EXPECT_EQ(first, lengths(same));
  EXPECT_NE(first, lengths(other));

  one.pass(5, 0b11);
  Archive saved;
  one.serialize(saved);
  const auto load = [&](VcpuTurns& into) {
    Archive archive(saved.bytes());
    into.serialize(archive);
    EXPECT_TRUE(archive.ok());
    EXPECT_EQ(into.current(), one.current());
  };
  lengths(same);  // it is elsewhere
  load(same);
  EXPECT_FALSE(same.begins_anew());
  EXPECT_EQ(same.left(6), one.left(6));
  EXPECT_EQ(lengths(same), lengths(one));
  load(other);
  EXPECT_TRUE(other.begins_anew()) << "another schedule";
}

TEST(VcpuTurns, ASaveByUrgencyGoesOnAlike) {
  const auto order = [](VcpuTurns& turns, u64 position) {
    std::vector<u64> all;
    for (unsigned i = 0; i < 200; ++i, position += 7'777) {
      // Now and then the current one waits, or others do.
      if (i % 7 == 3) turns.pauses();
      turns.pass(position, i % 5 == 2 ? 0b010 : i % 3 == 1 ? 0b110 : 0b111);
      all.push_back(turns.current());
      all.push_back(turns.left(position));
    }
    return all;
  };
  for (u64 seed = 1; seed <= 10; ++seed) {
    VcpuTurns one(3, pct(seed, 6, 3'000'000));
    order(one, 5);
    Archive saved;
    one.serialize(saved);
    VcpuTurns other(3, pct(seed, 6, 3'000'000));
    order(other, 77);
    Archive load(saved.bytes());
    other.serialize(load);
    ASSERT_TRUE(load.ok());
    EXPECT_EQ(order(other, 1'600'000), order(one, 1'600'000));
  }
}

TEST(VcpuTurns, TurnsAreShortWhileSomebodyWaitsByPausing) {
  VcpuTurns turns(3, seeded(1));
  turns.pauses();
  for (u64 position = 10; position < 30; position += 10) {
    ASSERT_TRUE(turns.pass(position, 0b111));
    EXPECT_LE(turns.left(position), kLongest / VcpuTurns::kShortened);
    EXPECT_GE(turns.left(position), kShortest / VcpuTurns::kShortened);
  }
  ASSERT_TRUE(turns.pass(30, 0b111));
  EXPECT_EQ(turns.current(), 0u);
  EXPECT_GE(turns.left(30), kShortest) << "its own turn again";
  ASSERT_TRUE(turns.pass(40, 0b111));
  EXPECT_GE(turns.left(40), kShortest);
}

TEST(VcpuTurns, TheSeedDecidesWhoIsUrgentAfterAllHaveFallen) {
  std::set<std::vector<unsigned>> orders;
  for (u64 seed = 1; seed <= 40; ++seed) {
    VcpuTurns turns(4, pct(seed, 1, 1'000'000));
    for (unsigned i = 0; i < 40; ++i) {
      turns.pauses();
      ASSERT_TRUE(turns.pass(100 * i, 0b1111));
    }
    std::vector<unsigned> order;
    for (unsigned i = 0; i < 8; ++i) {
      order.push_back(turns.current());
      turns.pauses();
      ASSERT_TRUE(turns.pass(5'000 + 100 * i, 0b1111));
    }
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 20u);
}

TEST(VcpuTurns, TheLastOfSixtyFourHasItsTurn) {
  VcpuTurns turns(64, seeded(1));
  ASSERT_TRUE(turns.pass(1, u64{1} << 63));
  EXPECT_EQ(turns.current(), 63u);
  ASSERT_TRUE(turns.pass(2, ~u64{0}));
  EXPECT_EQ(turns.current(), 0u);
}

TEST(VcpuTurns, TheMostUrgentRunsUntilItWaits) {
  VcpuTurns turns(3, pct(1, 1, 1'000'000));
  turns.pass(0, 0b111);
  const unsigned first = turns.current();
  u64 position = 0;
  for (unsigned i = 0; i < 100; ++i) {
    position += 1000;
    EXPECT_GT(turns.left(position), 0u);
    turns.pass(position, 0b111);
    EXPECT_EQ(turns.current(), first);
  }
  turns.pauses();
  turns.pass(position, 0b111);
  const unsigned second = turns.current();
  EXPECT_NE(second, first);
  turns.pass(position, 0b111 & ~(1u << second));
  const unsigned third = turns.current();
  EXPECT_NE(third, first) << "one that paused is behind all others";
  turns.pass(position, 0b111);
  EXPECT_EQ(turns.current(), second) << "back from its wait";
}

TEST(VcpuTurns, PrioritiesChangeAtDrawnPositionsOnly) {
  constexpr u64 kLength = 1'000'000;
  const auto changes = [](u64 seed) {
    VcpuTurns turns(2, pct(seed, 5, kLength));
    turns.pass(0, 0b11);
    std::vector<u64> positions;
    for (u64 position = turns.left(0); position < kLength; position += turns.left(position)) {
      const unsigned before = turns.current();
      turns.pass(position, 0b11);
      if (turns.current() != before) positions.push_back(position);
    }
    return positions;
  };
  EXPECT_EQ(changes(1).size(), 4u);
  EXPECT_EQ(changes(1), changes(1));
  EXPECT_NE(changes(1), changes(2));
}

TEST(VcpuTurns, OneThatNeverWaitsFallsBehindAfterTheBound) {
  VcpuTurns turns(2, pct(1, 1, 1'000'000));
  turns.pass(0, 0b11);
  const unsigned first = turns.current();
  ASSERT_EQ(turns.left(0), VcpuTurns::kPctBound);
  turns.pass(VcpuTurns::kPctBound - 1, 0b11);
  EXPECT_EQ(turns.current(), first) << "a look in between changes nothing";
  ASSERT_EQ(turns.left(VcpuTurns::kPctBound - 1), 1u);
  turns.pass(VcpuTurns::kPctBound, 0b11);
  EXPECT_NE(turns.current(), first);
}

TEST(VcpuTurns, TheBoundCountsFromWhenAnotherWantsToRun) {
  VcpuTurns turns(2, pct(1, 1, 1'000'000));
  turns.pass(0, 0b11);
  const unsigned first = turns.current();
  const u64 alone = u64{1} << first;
  turns.pass(5, alone);
  constexpr u64 kLater = 100 * VcpuTurns::kPctBound;
  EXPECT_GT(turns.left(5), kLater) << "nobody else does";
  turns.pass(kLater, 0b11);
  EXPECT_EQ(turns.current(), first);
  EXPECT_EQ(turns.left(kLater), VcpuTurns::kPctBound - 5);
}

TEST(VcpuTurns, ShortWakeUpsOfTheMostUrgentDoNotStarveTheLeastUrgent) {
  for (u64 seed = 1; seed <= 20; ++seed) {
    VcpuTurns turns(3, pct(seed, 1, 1'000'000));
    // With some seeds 1 is before 0, and 0 before 2: 1 wakes up now and then, and 0 goes on for ever.
    u64 position = 0;
    bool ran = false;
    for (unsigned tick = 0; tick < 10 && !ran; ++tick) {
      turns.pass(position, 0b111);
      if (turns.current() == 1) turns.pass(position += 1000, 0b101);
      for (const u64 end = position + 1'000'000; position < end;) {
        if (turns.left(position) == 0) turns.pass(position, 0b101);
        ran = ran || turns.current() == 2;
        position = std::min(end, position + turns.left(position));
      }
    }
    EXPECT_TRUE(ran) << "seed " << seed;
  }
}

}  // namespace
}  // namespace reprise::machine
