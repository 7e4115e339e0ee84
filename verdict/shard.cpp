#include "verdict/shard.h"

#include <fmt/format.h>

#include "common/numbers.h"

namespace reprise::verdict {
namespace {

/// Variables with a number of this process, and how many there are.
struct Row {
  std::string_view index;
  std::string_view count;
  std::string_view first;  // a variable with the lowest number; empty: it is `base`
  u64 base;
};

constexpr Row kRows[] = {
    {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", 0},
    // How many there are is what the job's manifest puts there.
    {"JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", "", 0},
    {"TEST_SHARD_INDEX", "TEST_TOTAL_SHARDS", "", 0},
    {"CI_NODE_INDEX", "CI_NODE_TOTAL", "", 1},
    {"BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", "", 0},
    {"CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", "", 0},
};

Result<u64> number_of(std::string_view name, const Environment& environment) {
  const std::optional<std::string> text = environment(name);
  if (!text)
    return wrong_usage(
        fmt::format("--shard auto: the environment has no {}, which says how many there are.", name));
  const std::optional<u64> number = parse_number(*text);
  if (!number) return wrong_usage(fmt::format("--shard auto: {} is '{}', which is no number.", name, *text));
  return *number;
}

Result<Shard> of_row(const Row& row, const Environment& environment) {
  const u64 index = TRY(number_of(row.index, environment));
  const u64 count = TRY(number_of(row.count, environment));
  const u64 first = row.first.empty() ? row.base : TRY(number_of(row.first, environment));
  if (index < first || index - first >= count)
    return wrong_usage(fmt::format("--shard auto: {} is {}, of {} from {} on: there is no such one.",
                                   row.index, index, count, first));
  return Shard{.index = index - first, .count = count};
}

}  // namespace

Result<Shard> parse_shard(std::string_view text, const Environment& environment) {
  if (text == "auto") {
    for (const Row& row : kRows)
      if (environment(row.index)) return of_row(row, environment);
    return Shard{};
  }
  const std::size_t slash = text.find('/');
  const u64 index = parse_number(text.substr(0, slash)).value_or(0);
  const u64 count = slash == text.npos ? 0 : parse_number(text.substr(slash + 1)).value_or(0);
  if (index == 0 || index > count)
    return wrong_usage(fmt::format("--shard '{}' is neither auto nor one such as 2/8.", text));
  return Shard{.index = index - 1, .count = count};
}

}  // namespace reprise::verdict
