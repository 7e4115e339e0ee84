#include "verdict/merged.h"

#include <gtest/gtest.h>

#include "tests/unit/verdict/tap_text_in.h"

namespace reprise::verdict {
namespace {

Outcome outcome_of(VerdictKind kind, int code) {
  Outcome outcome;
  outcome.name = "n";
  outcome.verdict.kind = kind;
  outcome.exit_code = code;
  return outcome;
}

int code_of(const std::vector<Outcome>& outcomes) { return summarize(outcomes).exit_code; }

TEST(Merged, TheExitCodeIsWhatThoseThatDidNotPassAgreeOn) {
  const Outcome pass = outcome_of(VerdictKind::Pass, 0), fail = outcome_of(VerdictKind::Fail, 3),
                panic = outcome_of(VerdictKind::Panic, 10),
                trouble = outcome_of(VerdictKind::HostTrouble, 20), usage = outcome_of(VerdictKind::Usage, 2);
  EXPECT_EQ(code_of({}), 0);
  EXPECT_EQ(code_of({pass, pass}), 0);
  EXPECT_EQ(code_of({pass, panic, panic}), 10);
  EXPECT_EQ(code_of({panic, fail, panic}), 1);
  EXPECT_EQ(code_of({pass, trouble, usage}), 20);
  // What a guest did counts more than that nobody knows what others would have done.
  EXPECT_EQ(code_of({trouble, fail}), 3);
  const std::vector<Outcome> all = {pass, fail, trouble};
  const Summary summary = summarize(all);
  EXPECT_EQ(summary.passed + summary.not_passed + summary.nobody_knows, 3U);
}

TEST(Merged, WhatWasWrittenIsReadBack) {
  Outcome outcome = outcome_of(VerdictKind::Panic, 10);
  outcome.name = "a \xff name";
  outcome.verdict.message = "Kernel panic";
  outcome.verdict.command_code = 3;
  outcome.results = parsed(
                        "KTAP version 1\n1..3\n  KTAP version 1\n  1..2\n  ok 1 a\n  # why\n  not ok 2 b # "
                        "TODO x\nnot ok 1 suite\nok 2 c # SKIP none")
                        .results();
  outcome.reports = {{.kind = ReportKind::Panic, .title = "Kernel panic", .at = "@5", .lines = {"x", "y"}}};
  outcome.failing = {ReportKind::Panic};
  outcome.end = "panic";
  outcome.position = "@7";
  outcome.state_hash = "0123456789abcdef";
  outcome.instructions = 12;
  outcome.virtual_ns = 13;
  outcome.command = {"test", "-k"};
  outcome.replay = "reprise replay r";
  const std::string text = json_text(outcome);
  const Result<Outcome> read = read_outcome(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(json_text(read.value()), text);
  EXPECT_EQ(in_short(read.value().results), in_short(outcome.results));
  EXPECT_EQ(junit_text(read.value()).size(), junit_text(outcome).size());
}

TEST(Merged, WhatIsNoResultIsRefused) {
  for (const char* text :
       {"", "{}", "[]", "null", "{\"test\": 5}", "{\"test\":\"x\",\"verdict\":\"pass\"}", "\xff"})
    EXPECT_FALSE(read_outcome(text)) << text;
  // Cut off anywhere.
  const std::string whole = json_text(outcome_of(VerdictKind::Pass, 0));
  for (std::size_t bytes = 0; bytes + 2 < whole.size(); ++bytes)
    EXPECT_FALSE(read_outcome(whole.substr(0, bytes)));
}

TEST(Merged, AllOfThemAreOneFile) {
  Outcome bad = outcome_of(VerdictKind::Fail, 1);
  bad.name = "bad";
  bad.results = parsed("TAP version 13\n1..1\nnot ok 1 x").results();
  const std::vector<Outcome> all = {outcome_of(VerdictKind::Pass, 0), bad};
  const std::string junit = junit_text_of_all(all);
  EXPECT_NE(junit.find("<testsuites tests=\"3\" failures=\"2\" errors=\"0\" skipped=\"0\">"),
            std::string::npos)
      << junit;
  EXPECT_EQ(in_short(parsed(tap_text_of_all(all)).results()), "pass n; fail bad [fail x]");
}

}  // namespace
}  // namespace reprise::verdict
