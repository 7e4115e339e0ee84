#include "verdict/tap.h"

#include <algorithm>

namespace reprise::verdict {
namespace {

void count_one(TestOutcome outcome, TapCounts& counts) {
  switch (outcome) {
    case TestOutcome::Pass: ++counts.passed; break;
    case TestOutcome::Fail: ++counts.failed; break;
    case TestOutcome::Skip: ++counts.skipped; break;
    case TestOutcome::ExpectedFailure: ++counts.expected_failures; break;
    case TestOutcome::Error: ++counts.errors; break;
  }
}

// Suites lie in each other at most as deep as TapParser lets them.
// NOLINTNEXTLINE(misc-no-recursion)
void count_into(const std::vector<TestResult>& results, TapCounts& counts) {
  for (const TestResult& result : results) {
    count_into(result.children, counts);
    if (result.children.empty() || counts_itself(result)) count_one(result.outcome, counts);
  }
}

}  // namespace

std::string_view outcome_name(TestOutcome outcome) {
  switch (outcome) {
    case TestOutcome::Pass: return "pass";
    case TestOutcome::Fail: return "fail";
    case TestOutcome::Skip: return "skip";
    case TestOutcome::ExpectedFailure: return "xfail";
    case TestOutcome::Error: return "error";
  }
  return "";
}

TapCounts count_results(const std::vector<TestResult>& results) {
  TapCounts counts;
  count_into(results, counts);
  return counts;
}

bool counts_itself(const TestResult& suite) {
  const bool bad = suite.outcome == TestOutcome::Fail || suite.outcome == TestOutcome::Error;
  return bad && !suite.children.empty() && count_results(suite.children).good();
}

}  // namespace reprise::verdict
