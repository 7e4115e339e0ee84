#include <fmt/format.h>

#include "verdict/merged.h"
#include "verdict/outcome.h"
#include "verdict/result_text.h"

namespace reprise::verdict {
namespace {

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char c : as_text(bytes)) {
    switch (c) {
      case '&': text += "&amp;"; break;
      case '<': text += "&lt;"; break;
      case '>': text += "&gt;"; break;
      case '"': text += "&quot;"; break;
      case '\n': text += "&#10;"; break;
      case '\t': text += "&#9;"; break;
      default: text += c;
    }
  }
  return text;
}

/// Of an element: line feeds stay as they are.
std::string escaped_content(std::string_view bytes) {
  std::string text;
  for (std::size_t begin = 0; begin <= bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    text += escaped(bytes.substr(begin, end - begin));
    if (end < bytes.size()) text += '\n';
    begin = end + 1;
  }
  return text;
}

/// Test cases of one suite, and how many of them did what.
struct Cases {
  std::string text;
  u64 tests = 0;
  u64 failures = 0;
  u64 errors = 0;
  u64 skipped = 0;
};

/// `element` is empty for a test that passed.
void add_case(Cases& cases, std::string_view suite, std::string_view name, std::string_view element,
              std::string_view message, std::string_view output) {
  ++cases.tests;
  if (element == "failure") ++cases.failures;
  if (element == "error") ++cases.errors;
  if (element == "skipped") ++cases.skipped;
  cases.text += fmt::format("    <testcase classname=\"{}\" name=\"{}\"", escaped(suite), escaped(name));
  if (element.empty() && output.empty()) {
    cases.text += "/>\n";
    return;
  }
  cases.text += ">\n";
  if (!element.empty())
    cases.text += fmt::format("      <{0} message=\"{1}\">{2}</{0}>\n", element, escaped(message),
                              element == "skipped" ? std::string() : escaped_content(output));
  if (!output.empty() && (element.empty() || element == "skipped"))
    cases.text += fmt::format("      <system-out>{}</system-out>\n", escaped_content(output));
  cases.text += "    </testcase>\n";
}

void add_result(Cases& cases, const std::string& suite, const TestResult& result) {
  const std::string output = joined(result.diagnostics);
  const auto reason = [&](std::string_view usual) {
    return result.reason.empty() ? std::string(usual) : result.reason;
  };
  switch (result.outcome) {
    case TestOutcome::Pass: return add_case(cases, suite, name_of(result), "", "", output);
    case TestOutcome::Fail:
      return add_case(cases, suite, name_of(result), "failure", reason("not ok"), output);
    case TestOutcome::Error:
      return add_case(cases, suite, name_of(result), "error", reason("no result"), output);
    case TestOutcome::Skip:
      return add_case(cases, suite, name_of(result), "skipped", reason("skipped"), output);
    case TestOutcome::ExpectedFailure:
      return add_case(cases, suite, name_of(result), "skipped", reason("an expected failure"), output);
  }
}

// Suites lie in each other at most as deep as TapParser lets them.
// NOLINTNEXTLINE(misc-no-recursion)
void add_results(Cases& cases, const std::string& suite, const std::vector<TestResult>& results) {
  for (const TestResult& result : results) {
    add_results(cases, suite + '.' + name_of(result), result.children);
    if (result.children.empty() || counts_itself(result)) add_result(cases, suite, result);
  }
}

void add_command(Cases& cases, const Outcome& outcome) {
  const Verdict& verdict = outcome.verdict;
  switch (verdict.kind) {
    case VerdictKind::Pass: return add_case(cases, "command", outcome.name, "", "", "");
    case VerdictKind::Fail:
      return add_case(cases, "command", outcome.name, "failure", verdict.message, outcome.replay);
    default: return add_case(cases, "command", outcome.name, "error", verdict.message, outcome.replay);
  }
}

std::string counts_text(const Cases& cases) {
  return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"", cases.tests, cases.failures,
                     cases.errors, cases.skipped);
}

/// The suite of one outcome; its numbers are added to those of `all`.
std::string suite_text(const Outcome& outcome, Cases& all) {
  Cases cases;
  add_command(cases, outcome);
  add_results(cases, "tests", outcome.results);
  for (const KernelReport& report : outcome.reports)
    if (fails(report, outcome.failing))
      add_case(cases, "kernel", fmt::format("{} {}", report_kind_name(report.kind), report.at), "failure",
               report.title, joined(report.shown()));
  all.tests += cases.tests;
  all.failures += cases.failures;
  all.errors += cases.errors;
  all.skipped += cases.skipped;
  constexpr double kNsPerSecond = 1e9;
  return fmt::format("  <testsuite name=\"{}\" {} time=\"{:.6f}\">\n{}  </testsuite>\n",
                     escaped(outcome.name), counts_text(cases),
                     static_cast<double>(outcome.virtual_ns) / kNsPerSecond, cases.text);
}

}  // namespace

std::string junit_text_of_all(std::span<const Outcome> outcomes) {
  Cases all;
  std::string suites;
  for (const Outcome& outcome : outcomes) suites += suite_text(outcome, all);
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {}>\n{}</testsuites>\n",
                     counts_text(all), suites);
}

std::string junit_text(const Outcome& outcome) { return junit_text_of_all({&outcome, 1}); }

}  // namespace reprise::verdict
