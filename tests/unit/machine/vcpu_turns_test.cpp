#include "machine/board/vcpu_turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace reprise::machine {
namespace {

constexpr auto kAll = [](unsigned) { return true; };

TEST(VcpuTurns, ALoneProcessorNeverEndsItsTurn) {
  VcpuTurns turns(1, VcpuTurns::Policy::RoundRobin, 1);
  EXPECT_EQ(turns.left(~u64{0} - 1), VcpuTurns::kNever);
  EXPECT_TRUE(turns.pass(5, kAll));
  EXPECT_EQ(turns.current(), 0u);
  EXPECT_EQ(turns.left(5), VcpuTurns::kNever);
}

TEST(VcpuTurns, TurnsGoRoundAndAreAsLongAsPromised) {
  VcpuTurns turns(3, VcpuTurns::Policy::RoundRobin, 1);
  u64 position = 0;
  std::vector<u64> lengths;
  for (unsigned i = 0; i < 300; ++i) {
    EXPECT_EQ(turns.current(), i % 3);
    const u64 length = turns.left(position);
    EXPECT_GE(length, VcpuTurns::kShortestTurn);
    EXPECT_LE(length, VcpuTurns::kLongestTurn);
    EXPECT_EQ(turns.left(position + 1), length - 1);
    EXPECT_EQ(turns.left(position + length), 0u);
    EXPECT_EQ(turns.left(position + length + 7), 0u);
    lengths.push_back(length);
    position += length;
    ASSERT_TRUE(turns.pass(position, kAll));
  }
  std::ranges::sort(lengths);
  EXPECT_LT(lengths.front(), 3'000u);
  EXPECT_GT(lengths.back(), 18'000u);
}

TEST(VcpuTurns, OneThatWaitsIsLeftOut) {
  VcpuTurns turns(3, VcpuTurns::Policy::RoundRobin, 1);
  ASSERT_TRUE(turns.pass(10, [](unsigned i) { return i != 1; }));
  EXPECT_EQ(turns.current(), 2u);
  ASSERT_TRUE(turns.pass(20, [](unsigned i) { return i == 2; }));
  EXPECT_EQ(turns.current(), 2u) << "there is nobody else: another turn";
  EXPECT_GE(turns.left(20), VcpuTurns::kShortestTurn);
  const u64 left = turns.left(21);
  EXPECT_FALSE(turns.pass(21, [](unsigned) { return false; }));
  EXPECT_EQ(turns.current(), 2u);
  EXPECT_EQ(turns.left(21), left);
}

TEST(VcpuTurns, TheSeedDecidesAndASaveGoesOnAlike) {
  const auto lengths = [](VcpuTurns& turns) {
    std::vector<u64> all;
    for (u64 position = 1'000'000; all.size() < 20; position += all.back()) {
      turns.pass(position, kAll);
      all.push_back(turns.left(position));
    }
    return all;
  };
  VcpuTurns one(2, VcpuTurns::Policy::RoundRobin, 7);
  VcpuTurns same(2, VcpuTurns::Policy::RoundRobin, 7);
  VcpuTurns other(2, VcpuTurns::Policy::RoundRobin, 8);
  const std::vector<u64> first = lengths(one);
  EXPECT_EQ(first, lengths(same));
  EXPECT_NE(first, lengths(other));

  one.pass(5, kAll);
  Archive saved;
  one.serialize(saved);
  Archive load(saved.bytes());
  other.serialize(load);
  ASSERT_TRUE(load.ok());
  EXPECT_EQ(other.current(), one.current());
  EXPECT_EQ(other.left(6), one.left(6));
  EXPECT_EQ(lengths(other), lengths(one));
}

}  // namespace
}  // namespace reprise::machine
