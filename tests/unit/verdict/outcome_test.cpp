#include "verdict/outcome.h"

#include <gtest/gtest.h>

#include "tests/unit/verdict/tap_text_in.h"
#include "verdict/result_text.h"

namespace reprise::verdict {
namespace {

Outcome failed_outcome() {
  Outcome outcome;
  outcome.name = "run <all> & more";
  outcome.verdict = {.kind = VerdictKind::Panic, .message = "Kernel panic", .command_code = {}};
  outcome.exit_code = 10;
  outcome.results = parsed(
                        "KTAP version 1\n1..3\n  KTAP version 1\n  1..2\n  ok 1 a\n  # why\n  not ok 2 "
                        "b\nnot ok 1 suite\nok 2 c # SKIP none")
                        .results();
  outcome.reports = {
      {.kind = ReportKind::Panic, .title = "Kernel panic: x", .at = "@5", .lines = {"Kernel panic: x", "y"}},
      {.kind = ReportKind::Warning, .title = "WARNING", .at = "@4", .lines = {"WARNING"}}};
  outcome.failing = {ReportKind::Panic};
  outcome.virtual_ns = 1'500'000'000;
  outcome.replay = "reprise replay r --to @5";
  return outcome;
}

TEST(Outcome, AsJUnit) {
  EXPECT_EQ(junit_text(failed_outcome()), R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="6" failures="2" errors="2" skipped="1">
  <testsuite name="run &lt;all&gt; &amp; more" tests="6" failures="2" errors="2" skipped="1" time="1.500000">
    <testcase classname="command" name="run &lt;all&gt; &amp; more">
      <error message="Kernel panic">reprise replay r --to @5</error>
    </testcase>
    <testcase classname="tests.suite" name="a"/>
    <testcase classname="tests.suite" name="b">
      <failure message="not ok">  # why
</failure>
    </testcase>
    <testcase classname="tests" name="c">
      <skipped message="none"></skipped>
    </testcase>
    <testcase classname="tests" name="test 3">
      <error message="it was cut off"></error>
    </testcase>
    <testcase classname="kernel" name="panic @5">
      <failure message="Kernel panic: x">Kernel panic: x
y
</failure>
    </testcase>
  </testsuite>
</testsuites>
)");
}

TEST(Outcome, AsTapThatSaysTheSame) {
  const std::string text = tap_text(failed_outcome());
  EXPECT_EQ(in_short(parsed(text).results()),
            "fail suite [pass a; fail b]; skip c; fail test 3; fail run <all> & more");
}

TEST(Outcome, AsAnnotations) {
  EXPECT_EQ(github_annotations(failed_outcome()),
            "::error title=suite.b::  # why%0A\n"
            "::error title=test 3::it was cut off%0A\n"
            "::error title=Kernel panic%3A x::Kernel panic: x%0Ay%0A\n"
            "::error title=run <all> & more::Kernel panic%0Areprise replay r --to @5\n");
  EXPECT_NE(gitlab_annotations(failed_outcome()).find("section_start:0:reprise_1[collapsed=true]"),
            std::string::npos);
}

TEST(Outcome, AsJson) {
  const std::string text = json_text(failed_outcome());
  for (const char* part : {"\"verdict\": \"panic\"", "\"exit_code\": 10", "\"failed\": 1", "\"errors\": 1",
                           "\"command_exit_code\": null", "\"position\": \"@5\""})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(ResultText, WhatXmlCannotHaveIsReplaced) {
  EXPECT_EQ(as_text("a\x01\x1b\xff\xc3\xa4\xe2\x82\xac\xed\xa0\x80\n\t"),
            "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xc3\xa4\xe2\x82\xac"
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\n\t");
  EXPECT_EQ(as_text("\xef\xbf\xbe\xc3"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace reprise::verdict
