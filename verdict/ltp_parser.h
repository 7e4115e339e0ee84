// LtpParser: results of the Linux Test Project's programs. Its library prints a line for each check and a summary at the end:
//
//     NAME.c:95: TPASS: openat(dir_fd, "test_file", O_RDWR)
//     Summary:
//     passed   1
//
// and its older one only lines such as "sched_yield01    1  TPASS  :  sched_yield() call succeeded".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "verdict/tap.h"

namespace reprise::verdict {

class LtpParser {
 public:
  /// In all; what comes behind them is not kept.
  static constexpr std::size_t kMaxResults = 200'000;
  /// Lines that came before a result; and of all of a program.
  static constexpr std::size_t kMaxDiagnostics = 400;

  /// `at` is the instant at which the line came.
  void take(std::string_view line, std::string_view at);
  /// There will be no more lines: `why` is what became of a program without a summary, "the kernel panicked".
  void end(std::string_view why);

  /// How many results there are so far.
  std::size_t count() const { return kept_; }
  /// After end(): a suite for each program.
  const std::vector<TestResult>& results() const { return results_; }

 private:
  void take_result(const std::string& program, bool tells_summary, TestResult result);
  /// The program has ended.
  void close();

  std::vector<TestResult> results_;  // the last one is of the program that runs, if any does
  std::vector<std::string> diagnostics_;
  bool open_ = false;
  bool awaits_summary_ = false;  // its library prints one
  bool in_summary_ = false;
  std::size_t kept_ = 0;
};

}  // namespace reprise::verdict
