#include "frontend/test/run_plan.h"

#include <gtest/gtest.h>

#include "frontend/options/option.h"
#include "frontend/test/test_rows.h"

namespace reprise::frontend {
namespace {

using Words = std::vector<std::string>;

/// Whether this build has toml++.
bool reads_suites() {
  return static_cast<bool>(read_suite("[[test]]\nname = 'a'\ncommand = 'b'\n", "s", {}));
}

TestRequest request_of(const Words& words) {
  TestRequest request;
  take_test_words(words, request);
  return request;
}

std::string refusal(const Words& words) {
  try {
    request_of(words);
  } catch (const BadValue& bad) {
    return bad.message;
  }
  return {};
}

TEST(RunPlan, EachSeedIsARun) {
  const TestRequest request = request_of(
      {"-k", "x", "--seeds", "3..5", "--cpus", "2", "--out", "o", "--junit", "j", "--", "a", "b c"});
  const auto tests = planned_tests(request);
  ASSERT_TRUE(tests);
  const std::vector<PlannedRun> runs = planned_runs(tests.value());
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[1].name, "seed-4");
  EXPECT_EQ(runs[1].index, 1U);
  EXPECT_EQ(runs[1].words, (Words{"--kernel=x", "--cpus=2", "--seed=4", "--sched-seed=4", "--name=seed-4",
                                  "--", "a", "b c"}));
  // A run is a command of its own.
  EXPECT_FALSE(request_of(runs[1].words).many());
}

TEST(RunPlan, WordsThatAreWrongAreNamed) {
  EXPECT_NE(refusal({"-k", "x", "--seeds", "5..3", "--", "a"}).find("'5..3'"), std::string::npos);
  EXPECT_NE(refusal({"-k", "x", "--shard", "1/2", "--", "a"}).find("--seeds"), std::string::npos);
  EXPECT_NE(refusal({"-k", "x", "--fail-on", "-nothing", "--", "a"}).find("'nothing'"), std::string::npos);
  EXPECT_NE(refusal({"-k", "x", "--env", "NO_SUCH_VARIABLE_HERE", "--", "a"}).find("NO_SUCH_VARIABLE_HERE"),
            std::string::npos);
  EXPECT_NE(refusal({"-k", "x", "--load", "y", "--", "a"}).find("--load"), std::string::npos);
}

TEST(RunPlan, WhichReportsCount) {
  using verdict::ReportKind;
  const auto has = [](const TestRequest& request, ReportKind kind) {
    return std::find(request.failing.begin(), request.failing.end(), kind) != request.failing.end();
  };
  EXPECT_FALSE(has(request_of({"-k", "x", "--", "a"}), ReportKind::Warning));
  EXPECT_TRUE(has(request_of({"-k", "x", "--", "a"}), ReportKind::Kasan));
  const TestRequest changed = request_of({"-k", "x", "--fail-on", "+warning,-kasan", "--", "a"});
  EXPECT_TRUE(has(changed, ReportKind::Warning));
  EXPECT_FALSE(has(changed, ReportKind::Kasan));
  EXPECT_TRUE(has(changed, ReportKind::Oops));
  const TestRequest only = request_of({"-k", "x", "--fail-on", "panic", "--", "a"});
  EXPECT_EQ(only.failing, (std::vector<ReportKind>{ReportKind::Panic}));
  EXPECT_TRUE(request_of({"-k", "x", "--fail-on", "none", "--", "a"}).failing.empty());
}

TEST(Suite, ListsTestsWithTheirOptions) {
  if (!reads_suites()) GTEST_SKIP() << "built without toml++";
  const auto tests = read_suite(R"(
kernel = "bz"
timeout = 60
[[test]]
name = "one"
command = "echo $A"
env = { A = "x y" }
[[test]]
name = "two"
command = ["prog", "a b"]
seeds = "1..3"
cpus = 2
device = ["virtio-rng", "i6300esb"]
debug-testdev = true
kernels = ["k1", "k2"]
)",
                                "s", {"--memory=1G"});
  ASSERT_TRUE(tests) << tests.error().message;
  ASSERT_EQ(tests.value().size(), 3U);
  EXPECT_EQ(tests.value()[0].words, (Words{"--kernel=bz", "--timeout=60", "--env=A=x y", "--memory=1G"}));
  EXPECT_EQ(tests.value()[0].command, (Words{"echo $A"}));
  EXPECT_EQ(tests.value()[2].name, "two/kernel-2");
  EXPECT_EQ(tests.value()[2].words,
            (Words{"--kernel=bz", "--timeout=60", "--cpus=2", "--debug-testdev", "--device=virtio-rng",
                   "--device=i6300esb", "--memory=1G", "--kernel=k2"}));
  EXPECT_EQ(tests.value()[2].command, (Words{"prog", "a b"}));
  EXPECT_EQ(planned_runs(tests.value()).size(), 7U);
  EXPECT_EQ(planned_runs(tests.value()).back().name, "two/kernel-2/seed-3");
}

TEST(Suite, WhatIsWrongIsSaidWithItsLine) {
  if (!reads_suites()) GTEST_SKIP() << "built without toml++";
  struct Case {
    const char* text;
    const char* part;
  };
  constexpr Case kCases[] = {
      {"x = [", "line 1"},
      {"kernel = 'x'\n", "no tests"},
      {"[[test]]\ncommand = 'a'\n", "has a name"},
      {"[[test]]\nname = '../x'\ncommand = 'a'\n", "'../x'"},
      {"[[test]]\nname = 'a/b'\ncommand = 'a'\n", "'a/b'"},
      {"[[test]]\nname = 'a'\nseeds = '3..1'\n", "line 3"},
      {"[[test]]\nname = 'a'\ncommand = 5\n", "line 3"},
      {"[[test]]\nname = 'a'\nmemory = {}\n", "no value"},
      {"[[test]]\nname = 'a'\ncommand='x'\n[[test]]\nname = 'a'\ncommand='x'\n", "two tests"},
  };
  for (const Case& one : kCases) {
    const auto tests = read_suite(one.text, "s.toml", {});
    ASSERT_FALSE(tests) << one.text;
    EXPECT_NE(tests.error().message.find(one.part), std::string::npos) << tests.error().message;
    EXPECT_NE(tests.error().message.find("'s.toml'"), std::string::npos);
  }
}

}  // namespace
}  // namespace reprise::frontend
