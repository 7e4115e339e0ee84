// `reprise merge OUT...`: results of several processes as one, whatever their order.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "frontend/options/option.h"
#include "frontend/output/standard_descriptors.h"
#include "frontend/test/many_runs.h"

namespace reprise::frontend {

struct MergeRequest {
  std::vector<std::string> folders;
  ResultPaths paths;
};

std::span<const OptionGroup<MergeRequest>> merge_option_groups();

/// `words` are those behind "merge". Returns the exit code.
int merge_command(const std::vector<std::string>& words, StandardOutputs& outputs);

}  // namespace reprise::frontend
