#include "verdict/tap_parser.h"

#include <gtest/gtest.h>

#include "tests/unit/verdict/tap_text_in.h"

namespace reprise::verdict {
namespace {

TEST(TapParser, TakesTheExampleOfTheKernelsDocument) {
  const TapParser parser = parsed(R"(KTAP version 1
1..1
  KTAP version 1
  1..3
    KTAP version 1
    1..1
    # test_1: initializing test_1
    ok 1 test_1
  ok 1 example_test_1
    KTAP version 1
    1..2
    ok 1 test_1 # SKIP test_1 skipped
    ok 2 test_2
  ok 2 example_test_2
    KTAP version 1
    1..3
    ok 1 test_1
    # test_2: FAIL
    not ok 2 test_2
    ok 3 test_3 # SKIP test_3 skipped
  not ok 3 example_test_3
not ok 1 main_test)");
  EXPECT_EQ(
      in_short(parser.results()),
      "fail main_test [pass example_test_1 [pass test_1]; pass example_test_2 [skip test_1; pass test_2]; "
      "fail example_test_3 [pass test_1; fail test_2; skip test_3]]");
  const TapCounts counts = count_results(parser.results());
  EXPECT_EQ(counts.passed, 3U);
  EXPECT_EQ(counts.failed, 1U);
  EXPECT_EQ(counts.skipped, 2U);
  EXPECT_EQ(counts.errors, 0U);
  const TestResult& failed = parser.results()[0].children[2].children[1];
  EXPECT_EQ(failed.diagnostics, std::vector<std::string>{"    # test_2: FAIL"});
  EXPECT_EQ(parser.results()[0].children[1].children[0].reason, "test_1 skipped");
}

TEST(TapParser, TakesKUnitFromAKernelsLog) {
  const TapParser parser = parsed(R"([    0.000000] Linux version 6.1.0
[    0.060000] printk: console [mc-1] enabled
[    0.060000] KTAP version 1
[    0.060000] 1..2
[    0.060000]     KTAP version 1
[    0.060000]     # Subtest: sysctl_test
[    0.060000]     # module: sysctl_test
[    0.060000]     1..2
[    0.061000]     # sysctl_test_dointvec: EXPECTATION FAILED at kernel/sysctl-test.c:20
[    0.061000]     not ok 1 sysctl_test_dointvec
[    0.061000] random: crng init done
[    0.062000]     ok 2 sysctl_test_write # SKIP no files
[    0.062000] # sysctl_test: pass:0 fail:1 skip:1 total:2
[    0.062000] # Totals: pass:0 fail:1 skip:1 total:2
[    0.062000] not ok 1 sysctl_test
[    0.070000]     KTAP version 1
[    0.070000]     # Subtest: example
[    0.070000]     1..1
[    0.070000]         KTAP version 1
[    0.070000]         # Subtest: example_params
[    0.071000]         ok 1 example value 0
[    0.071000]         ok 2 example value 1
[    0.071000]     ok 1 example_params
[    0.072000] ok 2 example
[    0.080000] List of all partitions:)");
  EXPECT_EQ(in_short(parser.results()),
            "fail sysctl_test [fail sysctl_test_dointvec; skip sysctl_test_write]; "
            "pass example [pass example_params [pass example value 0; pass example value 1]]");
}

TEST(TapParser, TakesKUnitsOlderForm) {
  const TapParser parser = parsed(R"(TAP version 14
1..2
	# Subtest: kunit-resource-test
	1..1
	ok 1 - kunit_resource_test_init
ok 1 - kunit-resource-test
    # Subtest: example
    1..1
    # example_simple_test: initializing
    ok 1 - example_simple_test
ok 2 - example)");
  EXPECT_EQ(
      in_short(parser.results()),
      "pass kunit-resource-test [pass kunit_resource_test_init]; pass example [pass example_simple_test]");
}

TEST(TapParser, TakesTheOutputOfKselftestsBehindNumberSigns) {
  const TapParser parser = parsed(R"(TAP version 13
1..3
# timeout set to 45
# selftests: timers: posix_timers
# TAP version 13
# 1..2
# ok 1 ITIMER_VIRTUAL
# not ok 2 ITIMER_PROF
# # Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0
not ok 1 selftests: timers: posix_timers # exit=1
# timeout set to 45
# selftests: timers: nanosleep
# Nanosleep CLOCK_REALTIME [OK]
ok 2 selftests: timers: nanosleep
# selftests: timers: leap
#
not ok 3 selftests: timers: leap # TIMEOUT 45 seconds)");
  EXPECT_EQ(in_short(parser.results()),
            "fail selftests: timers: posix_timers [pass ITIMER_VIRTUAL; fail ITIMER_PROF]; "
            "pass selftests: timers: nanosleep; fail selftests: timers: leap");
  EXPECT_EQ(parser.results()[0].reason, "exit=1");
  EXPECT_EQ(parser.results()[2].reason, "TIMEOUT 45 seconds");
}

TEST(TapParser, AKselftestThatIsAScriptHasAListForEachProgram) {
  const TapParser parser = parsed(R"(TAP version 13
1..2
# selftests: futex: run.sh
# ./run.sh: line 22: tput: not found
# TAP version 13
# 1..1
# # futex_requeue_pi: Test requeue functionality
# ok 1 futex-requeue-pi
# # Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0
# TAP version 13
# 1..3
# ok 1 futex_wake private succeeds
# ok 2 futex_wake shared (page anon) succeeds
# 
# TAP version 13
# 1..1
# ok 1 futex-wait
# # Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0
ok 1 selftests: futex: run.sh
# selftests: size: get_size
# TAP version 13
# ok 1 get runtime memory use
# 1..1
ok 2 selftests: size: get_size)");
  // The second program ended before its third test told of a result.
  EXPECT_EQ(
      in_short(parser.results()),
      "pass selftests: futex: run.sh [pass futex-requeue-pi; pass futex_wake private succeeds; pass "
      "futex_wake shared (page anon) "
      "succeeds; error ?; pass futex-wait]; pass selftests: size: get_size [pass get runtime memory use]");
}

TEST(TapParser, TotalsTellOfTestsWithoutALine) {
  const auto with = [](std::string_view totals) {
    return in_short(parsed("TAP version 13\n1..1\n# selftests: kcmp: kcmp_test\n# TAP version 13\n# 1..3\n# "
                           "PASS: 0 returned as expected\n" +
                           std::string(totals) + "ok 1 selftests: kcmp: kcmp_test")
                        .results());
  };
  EXPECT_EQ(with("# # Totals: pass:3 fail:0 xfail:0 xpass:0 skip:0 error:0\n"),
            "pass selftests: kcmp: kcmp_test");
  EXPECT_EQ(with("# # Totals: pass:1 fail:0 xfail:1 xpass:0 skip:1 error:0\n"),
            "pass selftests: kcmp: kcmp_test");
  for (const char* bad : {"", "# # Totals: pass:2 fail:0 xfail:0 xpass:0 skip:0 error:0\n",
                          "# # Totals: pass:2 fail:1 xfail:0 xpass:0 skip:0 error:0\n"})
    EXPECT_EQ(with(bad), "pass selftests: kcmp: kcmp_test [error ?; error ?; error ?]") << bad;
}

TEST(TapParser, SaysWhatDirectivesSay) {
  const TapParser parser = parsed(
      "TAP version 14\n1..9\nok 1 a # SKIP: no device\nnot ok 2 b # TODO later\nnot ok 3 c # XFAIL known\nok "
      "4 d # XPASS\n"
      "ok 5 e # note\nnot ok 6 f # ERROR broken\nok 7 has \\# sign\nnot ok 8 g # skipped here\nok 9");
  EXPECT_EQ(in_short(parser.results()),
            "skip a; xfail b; xfail c; fail d; pass e; error f; pass has \\# sign; skip g; pass ?");
}

TEST(TapParser, WhatWasCutOffIsAnError) {
  const TapParser parser = parsed(R"(KTAP version 1
1..3
ok 1 one
    KTAP version 1
    # Subtest: two
    1..3
    ok 1 a
[    1.234567] BUG: kernel NULL pointer dereference, address: 0000000000000000)",
                                  "the kernel panicked");
  EXPECT_EQ(in_short(parser.results()), "pass one; error two [pass a; error ?; error ?]; error ?");
  EXPECT_EQ(parser.results()[1].reason, "the kernel panicked");
  // What was printed meanwhile is with the test that it happened in.
  ASSERT_EQ(parser.results()[1].children[1].diagnostics.size(), 1U);
  EXPECT_NE(parser.results()[1].children[1].diagnostics[0].find("NULL pointer"), std::string::npos);
}

TEST(TapParser, MissingNumbersAndSuitesWithoutResultAreErrors) {
  EXPECT_EQ(in_short(parsed("TAP version 13\n1..4\nok 1 a\nok 3 c\nok 4 d").results()),
            "pass a; error ?; pass c; pass d");
  EXPECT_EQ(in_short(parsed("KTAP version 1\n1..2\n  KTAP version 1\n  # Subtest: x\n  1..1\n  ok 1 a\n"
                            "  KTAP version 1\n  # Subtest: y\n  1..1\n  ok 1 b\nok 2 y")
                         .results()),
            "error x [pass a]; pass y [pass b]");
  EXPECT_EQ(in_short(parsed("TAP version 13").results()), "error ?");
  EXPECT_EQ(in_short(parsed("TAP version 13\nok 1 a\nok 2 b\n1..3").results()), "pass a; pass b; error ?");
}

TEST(TapParser, BailOutEndsAll) {
  const TapParser parser = parsed("TAP version 13\n1..3\nok 1 a\nBail out! no memory\nok 2 b");
  EXPECT_EQ(in_short(parser.results()), "pass a; error ?; error ?");
  EXPECT_EQ(parser.results()[1].reason, "the tests bailed out: no memory");
}

TEST(TapParser, AListOfNothingIsSkipped) {
  const TapParser parser = parsed("TAP version 13\n1..0 # SKIP needs root");
  EXPECT_EQ(in_short(parser.results()), "skip ?");
  EXPECT_TRUE(count_results(parser.results()).good());
}

TEST(TapParser, TextWithoutAVersionIsNoResult) {
  const TapParser parser = parsed("ok 1 looks like one\nnot ok 2 and this\n1..5");
  EXPECT_FALSE(parser.any());
  EXPECT_TRUE(parser.results().empty());
}

TEST(TapParser, SeveralListsFollowEachOther) {
  EXPECT_EQ(
      in_short(parsed("TAP version 13\n1..1\nok 1 a\nsome text\nTAP version 13\n1..1\nnot ok 1 b").results()),
      "pass a; fail b");
}

TEST(TapParser, ASuiteThatIsWorseThanItsTestsCounts) {
  const TapParser parser = parsed("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 a\nnot ok 1 suite");
  EXPECT_EQ(count_results(parser.results()).failed, 1U);
  EXPECT_EQ(count_results(parser.results()).passed, 1U);
}

TEST(TapParser, APlanThatCannotBeIsNone) {
  EXPECT_EQ(in_short(parsed("TAP version 13\n1..18446744073709551615\nok 1 a").results()), "pass a");
  EXPECT_EQ(in_short(parsed("TAP version 13\n1..99999999999999999999\nok 99999999 a\nok 1 b").results()),
            "pass b");
}

}  // namespace
}  // namespace reprise::verdict
