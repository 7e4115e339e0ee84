#include "frontend/test/cost_comparison.h"

#include <fmt/format.h>

#include <utility>

#include "machine/storage/host_file.h"
#include "verdict/merged.h"
#include "verdict/result_text.h"

namespace reprise::frontend {
namespace {

constexpr u64 kMaxBytes = u64{1} << 30;

using Named = std::vector<std::pair<std::string, verdict::Costs>>;

// Suites lie in each other at most as deep as TapParser lets them.
// NOLINTNEXTLINE(misc-no-recursion)
void add_results(const std::string& above, const std::vector<verdict::TestResult>& results, Named& all) {
  for (const verdict::TestResult& result : results) {
    const std::string name = above + '/' + verdict::name_of(result);
    if (result.costs) all.emplace_back(name, *result.costs);
    add_results(name, result.children, all);
  }
}

/// The command's, and those of its results.
Named costs_of(const verdict::Outcome& outcome) {
  Named all;
  if (outcome.command_costs) all.emplace_back(outcome.name, *outcome.command_costs);
  add_results(outcome.name, outcome.results, all);
  return all;
}

}  // namespace

Result<CostComparison> CostComparison::open(const CostLimits& limits) {
  CostComparison comparison(limits);
  if (limits.base_path.empty()) return comparison;
  const std::vector<u8> bytes = TRY(machine::read_host_file("result", limits.base_path, kMaxBytes));
  const auto outcomes = verdict::read_outcomes({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!outcomes)
    return wrong_usage(fmt::format("--compare '{}': {}.", limits.base_path, outcomes.error().message));
  for (const verdict::Outcome& outcome : outcomes.value())
    for (auto& [name, costs] : costs_of(outcome)) comparison.before_.emplace(name, costs);
  if (comparison.before_.empty())
    return wrong_usage(fmt::format("--compare '{}' has no costs: no command in it ended.", limits.base_path));
  return comparison;
}

void CostComparison::judge(verdict::Outcome& outcome, StandardOutputs& outputs) const {
  if (limits_.base_path.empty()) return;
  std::string worst;
  for (const auto& [name, costs] : costs_of(outcome)) {
    const auto before = before_.find(name);
    if (before == before_.end()) {
      outputs.say(fmt::format("cost: {} is not in '{}'", name, limits_.base_path));
      continue;
    }
    for (const verdict::CostChange& change : verdict::changes(name, before->second, costs)) {
      const bool too_much = limits_.growth_millionths && change.grew_beyond(*limits_.growth_millionths);
      outputs.say(fmt::format("cost: {}{}", change.text(), too_much ? ": more than it may" : ""));
      if (too_much && worst.empty()) worst = change.text();
    }
  }
  if (worst.empty() || outcome.verdict.kind != verdict::VerdictKind::Pass) return;
  outcome.verdict.kind = verdict::VerdictKind::Fail;
  outcome.verdict.message = "it costs more than it may: " + worst;
  outcome.exit_code = verdict::exit_code_of(outcome.verdict, verdict::ExitStyle::Reprise);
}

}  // namespace reprise::frontend
