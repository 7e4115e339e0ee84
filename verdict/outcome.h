// Outcome: all that there is to say of a test that was run, for the forms in which it is said.
#pragma once

#include <string>
#include <vector>

#include "verdict/tap.h"
#include "verdict/verdict.h"

namespace reprise::verdict {

struct Outcome {
  std::string name;  // of the test: its command
  Verdict verdict;
  int exit_code = 0;                // of this program
  std::vector<TestResult> results;  // may be none
  std::vector<KernelReport> reports;
  std::vector<ReportKind> failing;
  // Of the run.
  std::string end;       // "poweroff"
  std::string position;  // "@N"
  std::string state_hash;
  u64 instructions = 0;
  u64 virtual_ns = 0;
  std::optional<Costs> run_costs;      // of all of it; nothing: there was no run
  std::optional<Costs> command_costs;  // from its start to its end; nothing: it has not ended
  std::vector<std::string> command;    // the words behind "reprise"
  std::string replay;  // the command that runs it again up to just before what went wrong, or all of it
};

/// One object.
std::string json_text(const Outcome& outcome);

/// As CI systems read it: one <testsuite> for each list of results at the top, or one for the command; a report of the kernel's with which
/// the test does not pass is a test case that failed.
std::string junit_text(const Outcome& outcome);

/// TAP 14, with the results below each other as they were.
std::string tap_text(const Outcome& outcome);

/// A line for each thing that went wrong, as GitHub's runners show it: "::error title=...::...".
std::string github_annotations(const Outcome& outcome);
/// As GitLab's job log folds and colours it.
std::string gitlab_annotations(const Outcome& outcome);

}  // namespace reprise::verdict
