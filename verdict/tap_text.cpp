#include <fmt/format.h>

#include "common/words.h"
#include "verdict/merged.h"
#include "verdict/outcome.h"
#include "verdict/result_text.h"

namespace reprise::verdict {
namespace {

/// A description: of one line, and without what would begin a directive.
std::string description(std::string_view text) {
  std::string out;
  for (const char c : in_one_line(as_text(text))) {
    if (c == '#' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string result_line(u64 number, const TestResult& result) {
  const bool ok = result.outcome == TestOutcome::Pass || result.outcome == TestOutcome::Skip;
  std::string line = fmt::format("{} {} - {}", ok ? "ok" : "not ok", number, description(name_of(result)));
  if (result.outcome == TestOutcome::Skip) line += " # SKIP " + description(result.reason);
  if (result.outcome == TestOutcome::ExpectedFailure) line += " # TODO " + description(result.reason);
  return line;
}

// Suites lie in each other at most as deep as TapParser lets them.
// NOLINTNEXTLINE(misc-no-recursion)
void add_results(std::string& text, const std::string& indent, const std::vector<TestResult>& results) {
  text += fmt::format("{}1..{}\n", indent, results.size());
  u64 number = 0;
  for (const TestResult& result : results) {
    if (!result.children.empty()) {
      text += fmt::format("{}# Subtest: {}\n", indent, description(name_of(result)));
      add_results(text, indent + "    ", result.children);
    }
    text += indent + result_line(++number, result) + '\n';
    if (result.outcome == TestOutcome::Error)
      text += fmt::format("{}# {}\n", indent, in_one_line(as_text(result.reason)));
    for (const std::string& line : result.diagnostics) {
      const std::string shown = in_one_line(as_text(line));
      text += fmt::format("{}{}{}\n", indent, shown.starts_with('#') ? "" : "# ", shown);
    }
  }
}

/// The results, and the command as the last of them.
std::vector<TestResult> results_of(const Outcome& outcome) {
  std::vector<TestResult> all = outcome.results;
  TestResult command;
  command.name = outcome.name;
  command.outcome = outcome.verdict.kind == VerdictKind::Pass ? TestOutcome::Pass : TestOutcome::Fail;
  command.diagnostics = {outcome.verdict.message};
  for (const KernelReport& report : outcome.reports)
    if (fails(report, outcome.failing))
      command.diagnostics.push_back(fmt::format("kernel {}: {}", report.at, report.title));
  all.push_back(std::move(command));
  return all;
}

}  // namespace

std::string tap_text(const Outcome& outcome) {
  std::string text = "TAP version 14\n";
  add_results(text, "", results_of(outcome));
  return text;
}

std::string tap_text_of_all(std::span<const Outcome> outcomes) {
  std::vector<TestResult> all;
  for (const Outcome& outcome : outcomes) {
    std::vector<TestResult> results = results_of(outcome);
    TestResult& run = all.emplace_back(std::move(results.back()));
    results.pop_back();
    run.children = std::move(results);
  }
  std::string text = "TAP version 14\n";
  add_results(text, "", all);
  return text;
}

}  // namespace reprise::verdict
