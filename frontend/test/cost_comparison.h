// --compare: what tests cost beside what they cost before.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "frontend/output/standard_descriptors.h"
#include "verdict/costs.h"
#include "verdict/outcome.h"

namespace reprise::frontend {

/// What the options say.
struct CostLimits {
  std::string base_path;                 // of --compare; empty: nothing is compared
  std::optional<u64> growth_millionths;  // of --fail-over; nothing: whatever it costs
};

class CostComparison {
 public:
  /// Error: the file is no result of a test, a sentence that names it.
  static Result<CostComparison> open(const CostLimits& limits);

  /// Tells of each number that is another. A test that passed and costs more than it may has failed.
  void judge(verdict::Outcome& outcome, StandardOutputs& outputs) const;

 private:
  explicit CostComparison(CostLimits limits) : limits_(std::move(limits)) {}

  CostLimits limits_;
  std::map<std::string, verdict::Costs> before_;  // by test
};

}  // namespace reprise::frontend
