#include "frontend/test/run_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "machine/storage/host_file.h"

namespace reprise::frontend {
namespace {

PlannedRun run_of(const PlannedTest& test, std::optional<u64> seed, u64 index) {
  PlannedRun run{.index = index, .name = test.name, .words = test.words};
  if (seed) {
    run.name += fmt::format("{}seed-{}", run.name.empty() ? "" : "/", *seed);
    run.words.push_back(fmt::format("--seed={}", *seed));
    if (have_several_processors(test.words)) run.words.push_back(fmt::format("--sched-seed={}", *seed));
  }
  if (run.name.empty()) run.name = "run";
  run.words.push_back("--name=" + run.name);
  run.words.push_back("--");
  std::ranges::copy(test.command, std::back_inserter(run.words));
  return run;
}

}  // namespace

bool have_several_processors(const std::vector<std::string>& words) {
  return std::ranges::any_of(
      words, [](const std::string& word) { return word.starts_with("--cpus=") && word != "--cpus=1"; });
}

Result<std::vector<PlannedTest>> planned_tests(const TestRequest& request) {
  if (request.suite.empty()) {
    std::vector<PlannedTest> tests(1);
    tests[0] = {.name = {},
                .words = request.child_words,
                .command = request.command,
                .first_seed = request.first_seed,
                .last_seed = request.last_seed};
    return tests;
  }
  constexpr u64 kMaxBytes = u64{16} << 20;
  const std::vector<u8> bytes = TRY(machine::read_host_file("suite", request.suite, kMaxBytes));
  auto tests = TRY(read_suite({bytes.begin(), bytes.end()}, request.suite, request.child_words));
  for (PlannedTest& test : tests) {
    if (request.first_seed && !test.first_seed) {
      test.first_seed = request.first_seed;
      test.last_seed = request.last_seed;
    }
    if (!request.command.empty() && test.command.empty()) test.command = request.command;
    if (test.command.empty() && std::ranges::find(test.words, "--kernel-tests") == test.words.end())
      return wrong_usage(fmt::format("suite '{}': test '{}' has no command.", request.suite, test.name));
  }
  return tests;
}

std::vector<PlannedRun> planned_runs(const std::vector<PlannedTest>& tests) {
  std::vector<PlannedRun> runs;
  for (const PlannedTest& test : tests) {
    if (!test.first_seed) {
      runs.push_back(run_of(test, std::nullopt, runs.size()));
      continue;
    }
    for (u64 seed = *test.first_seed;; ++seed) {
      runs.push_back(run_of(test, seed, runs.size()));
      if (seed == *test.last_seed) break;
    }
  }
  return runs;
}

}  // namespace reprise::frontend
