// The runs that a command of `reprise test` asks for: of each test of a suite, of each kernel, of each seed.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "frontend/test/test_request.h"

namespace reprise::frontend {

struct PlannedRun {
  u64 index = 0;                   // among all of the command, whoever does them
  std::string name;                // a relative path: "seed-17", "boot/seed-17"
  std::vector<std::string> words;  // of `reprise test`, without --out
};

/// A test of a suite, or of the command itself.
struct PlannedTest {
  std::string name;                // empty: the command's own
  std::vector<std::string> words;  // options
  std::vector<std::string> command;
  std::optional<u64> first_seed, last_seed;
};

/// Whether turns of processors depend on a seed.
bool have_several_processors(const std::vector<std::string>& words);

/// Errors: the suite cannot be read, or says what cannot be.
Result<std::vector<PlannedTest>> planned_tests(const TestRequest& request);

std::vector<PlannedRun> planned_runs(const std::vector<PlannedTest>& tests);

/// The tests of a suite: its file's content. `common` are options for all of them. Error: a sentence with the line.
Result<std::vector<PlannedTest>> read_suite(const std::string& text, const std::string& path,
                                            const std::vector<std::string>& common);

}  // namespace reprise::frontend
