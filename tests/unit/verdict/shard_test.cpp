#include "verdict/shard.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace reprise::verdict {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Result<Shard> shard(std::string_view text, const Variables& variables = {}) {
  return parse_shard(text, [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

struct Case {
  Variables variables;
  u64 index, count;
};

TEST(Shard, TheEnvironmentSaysWhichOneThisIs) {
  const Case kCases[] = {
      {{{"SLURM_ARRAY_TASK_ID", "7"}, {"SLURM_ARRAY_TASK_COUNT", "4"}, {"SLURM_ARRAY_TASK_MIN", "5"}}, 2, 4},
      {{{"JOB_COMPLETION_INDEX", "0"}, {"JOB_COMPLETIONS", "3"}}, 0, 3},
      {{{"TEST_SHARD_INDEX", "2"}, {"TEST_TOTAL_SHARDS", "3"}}, 2, 3},
      {{{"CI_NODE_INDEX", "1"}, {"CI_NODE_TOTAL", "5"}}, 0, 5},
      {{{"BUILDKITE_PARALLEL_JOB", "4"}, {"BUILDKITE_PARALLEL_JOB_COUNT", "5"}}, 4, 5},
      {{{"CIRCLE_NODE_INDEX", "1"}, {"CIRCLE_NODE_TOTAL", "2"}}, 1, 2},
      {{}, 0, 1},
  };
  for (const Case& one : kCases) {
    const Result<Shard> result = shard("auto", one.variables);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result.value().index, one.index);
    EXPECT_EQ(result.value().count, one.count);
  }
}

TEST(Shard, WhatCannotBeIsRefused) {
  for (const char* text : {"", "0/4", "5/4", "1", "1/", "/1", "a/b", "1/0"})
    EXPECT_FALSE(shard(text)) << text;
  EXPECT_NE(shard("auto", {{"CI_NODE_INDEX", "1"}}).error().message.find("CI_NODE_TOTAL"), std::string::npos);
  EXPECT_NE(shard("auto", {{"CI_NODE_INDEX", "6"}, {"CI_NODE_TOTAL", "5"}}).error().message.find("no such"),
            std::string::npos);
  EXPECT_NE(shard("auto", {{"CI_NODE_INDEX", "x"}, {"CI_NODE_TOTAL", "5"}}).error().message.find("'x'"),
            std::string::npos);
}

TEST(Shard, EachRunBelongsToOne) {
  for (u64 count = 1; count < 9; ++count)
    for (u64 run = 0; run < 50; ++run) {
      u64 owners = 0;
      for (u64 index = 0; index < count; ++index)
        owners += Shard{.index = index, .count = count}.has(run) ? 1 : 0;
      EXPECT_EQ(owners, 1U);
    }
  EXPECT_EQ(shard("2/8").value().index, 1U);
}

}  // namespace
}  // namespace reprise::verdict
