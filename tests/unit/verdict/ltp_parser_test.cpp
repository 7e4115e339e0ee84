#include "verdict/ltp_parser.h"

#include <gtest/gtest.h>

namespace reprise::verdict {
namespace {

/// What comes of the lines of `text`; the run ends behind them.
std::vector<TestResult> results_of(std::string_view text) {
  LtpParser parser;
  unsigned number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    parser.take(line, "@" + std::to_string(++number));
  }
  parser.end("the kernel panicked");
  return parser.results();
}

// As LTP 20230127 prints it.
constexpr std::string_view kOpenat =
    "tst_test.c:1558: TINFO: Timeout per run is 0h 00m 30s\n"
    "openat01.c:58: TPASS: openat(dir_fd, \"test_file\", O_RDWR, 0) passed\n"
    "something else\n"
    "openat01.c:64: TFAIL: openat() succeeded unexpectedly\n"
    "openat01.c:70: TCONF: not on this file system\n"
    "\n"
    "Summary:\n"
    "passed   1\n"
    "failed   1\n"
    "broken   0\n"
    "skipped  1\n"
    "warnings 0\n";

TEST(LtpParser, ReadsWhatItsLibraryPrints) {
  const auto results = results_of(kOpenat);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].name, "openat01");
  EXPECT_EQ(results[0].outcome, TestOutcome::Fail);
  ASSERT_EQ(results[0].children.size(), 3u);
  const auto& checks = results[0].children;
  EXPECT_EQ(checks[0].name, "openat(dir_fd, \"test_file\", O_RDWR, 0) passed");
  EXPECT_EQ(checks[0].outcome, TestOutcome::Pass);
  EXPECT_EQ(checks[0].at, "@2");
  EXPECT_EQ(checks[0].diagnostics,
            std::vector<std::string>{"tst_test.c:1558: TINFO: Timeout per run is 0h 00m 30s"});
  EXPECT_EQ(checks[1].outcome, TestOutcome::Fail);
  EXPECT_EQ(checks[1].diagnostics, std::vector<std::string>{"something else"});
  EXPECT_EQ(checks[2].outcome, TestOutcome::Skip);
  const TapCounts counts = count_results(results);
  EXPECT_EQ(counts.passed, 1u);
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_EQ(counts.skipped, 1u);
  EXPECT_EQ(counts.errors, 0u);
}

TEST(LtpParser, AProgramThatWasCutOffDoesNotPass) {
  const auto results = results_of("fork05.c:1: TPASS: first\n");
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].outcome, TestOutcome::Error);
  ASSERT_EQ(results[0].children.size(), 2u);
  EXPECT_EQ(results[0].children[1].reason, "the kernel panicked");
  // Also when another program follows.
  const auto two = results_of("fork05.c:1: TPASS: first\nfork06.c:1: TPASS: second\nSummary:\npassed   1\n");
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].outcome, TestOutcome::Error);
  EXPECT_EQ(two[1].outcome, TestOutcome::Pass);
}

TEST(LtpParser, ReadsTheOlderForm) {
  const auto results = results_of(
      "sched_yield01    1  TPASS  :  sched_yield() call succeeded\n"
      "sched_yield01    2  TBROK  :  tst_sig.c:233: unexpected signal SIGSEGV(11)\n"
      "nice01      1  TPASS  :  ok\n");
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].name, "sched_yield01");
  EXPECT_EQ(results[0].outcome, TestOutcome::Error);
  EXPECT_EQ(results[0].children[0].number, 1u);
  EXPECT_EQ(results[1].outcome, TestOutcome::Pass);
}

TEST(LtpParser, WhatTheLibraryFindsIsTheProgramsOwn) {
  const auto results = results_of(
      "mmap01.c:9: TPASS: mapped\n"
      "tst_test.c:1622: TBROK: Test killed! (timeout?)\n"
      "Summary:\npassed   1\nbroken   1\n");
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].name, "mmap01");
  EXPECT_EQ(results[0].outcome, TestOutcome::Error);
  // It may be all that there is.
  const auto only = results_of("tst_test.c:1: TCONF: needs root\nSummary:\nskipped  1\n");
  ASSERT_EQ(only.size(), 1u);
  EXPECT_EQ(only[0].name, "tst_test");
  EXPECT_EQ(only[0].outcome, TestOutcome::Skip);
}

TEST(LtpParser, StampsAndColorsDoNotMatter) {
  const auto results =
      results_of("[   12.345678] a01.c:3: \033[1;32mTPASS: \033[0mgood\nSummary:\npassed   1\n");
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].children[0].name, "good");
}

TEST(LtpParser, OtherLinesAreNoResults) {
  EXPECT_TRUE(
      results_of("a/b.c:3: TPASS: x\nfile.c:x: TPASS: y\nfile.c:3: TPASSED\nname TPASS : z\n: 1 TPASS :\n"
                 "name 1 OK : w\nSummary:\npassed 1\n")
          .empty());
}

}  // namespace
}  // namespace reprise::verdict
