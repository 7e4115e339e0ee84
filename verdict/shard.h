// Shard: which part of many runs a process does, as those who start several processes say it in the environment.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/types.h"

namespace reprise::verdict {

struct Shard {
  u64 index = 0;  // from 0
  u64 count = 1;
  bool has(u64 run) const { return run % count == index; }
};

/// The value of a variable of the environment; nullopt: there is none.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

/// "2/8": the second of eight. "auto": what the environment says: Slurm's job arrays, indexed jobs of Kubernetes, Bazel, GitLab, Buildkite,
/// CircleCI; all runs where it says nothing. Error: a sentence.
Result<Shard> parse_shard(std::string_view text, const Environment& environment);

}  // namespace reprise::verdict
