// TapParser: lines to results. What is cut off counts: tests that were planned and told of no result are errors.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verdict/tap.h"
#include "verdict/tap_line.h"

namespace reprise::verdict {

class TapParser {
 public:
  /// Suites lie in each other at most so deep; what is deeper is taken for output.
  static constexpr std::size_t kMaxDepth = 32;
  /// Of one test.
  static constexpr std::size_t kMaxDiagnostics = 400;
  /// A plan that says more is none.
  static constexpr u64 kMaxPlan = 100'000;
  /// In all; what comes behind them is not kept.
  static constexpr std::size_t kMaxResults = 200'000;

  /// `at` is the instant at which the line came.
  void take(std::string_view line, std::string_view at);
  /// There will be no more lines: `why` is what became of tests without a result, "the kernel panicked".
  void end(std::string_view why);

  /// How many results there are so far.
  std::size_t count() const { return kept_; }
  /// Whether there was a line of the protocol's version: without one nothing is a result.
  bool any() const { return any_; }
  /// After end().
  const std::vector<TestResult>& results() const { return results_; }

 private:
  /// A list of tests that goes on.
  struct Level {
    std::size_t depth = 0;
    std::size_t quotes = 0;  // "# " before its lines
    std::string name;
    std::optional<u64> plan;
    std::string skipped;              // the plan says that there are none, and why
    std::vector<TestResult> earlier;  // of lists before this one that are the output of the same test
    std::vector<TestResult> results;
    std::vector<std::string> diagnostics;  // for the next result
    bool has_version = false;
    bool all_counted = false;  // a line with totals says that all of the plan went well
  };

  void open(std::size_t depth, std::size_t quotes, bool has_version);
  /// A test of kselftest's may be a script that runs programs with a list each: whether another one begins.
  bool next_of_script(std::size_t depth, std::size_t quotes) const;
  void begin_next_of_script();
  /// What kselftest's library writes behind a list, also of tests that have no line of their own: "# Totals: pass:3 fail:0 ...".
  static void take_totals(Level& level, std::string_view text);
  static std::vector<TestResult> all_results(Level& level);
  void take_subtest(const TapLine& line, std::size_t quotes);
  void take_plan(const TapLine& line);
  void take_result(const TapLine& line, std::string_view at);
  void add_diagnostic(std::string_view text);
  void add_result(Level& level, TestResult result);
  /// Tests up to `number` that told of no result are errors.
  void fill_up(Level& level, u64 number, std::string_view why);
  /// Planned tests without a result are errors.
  void complete(Level& level, std::string_view why);
  /// The innermost level becomes a suite of the next outer one, which told of no result; the outermost one is over.
  void cut_off(std::string_view why);

  std::vector<Level> levels_;
  std::vector<TestResult> results_;
  std::size_t kept_ = 0;  // results so far, in all lists
  bool any_ = false;
};

}  // namespace reprise::verdict
