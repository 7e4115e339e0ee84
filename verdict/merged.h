// Many outcomes as one: of seeds, of a suite, of several processes.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/result.h"
#include "verdict/outcome.h"

namespace reprise::verdict {

struct Summary {
  u64 passed = 0;
  u64 not_passed = 0;    // because of what the guest did
  u64 nobody_knows = 0;  // trouble of the host's, wrong usage, a signal
  int exit_code = 0;
};

/// The exit code is 0 when all passed; that of those that did not where they agree, else 1. Where only the host is to blame, that of the first.
Summary summarize(std::span<const Outcome> outcomes);

/// What json_text() wrote. Error: a sentence about it, without its name.
Result<Outcome> read_outcome(std::string_view text);

/// What that or json_text_of_all() wrote.
Result<std::vector<Outcome>> read_outcomes(std::string_view text);

/// An object with the summary and all of them.
std::string json_text_of_all(std::span<const Outcome> outcomes);
/// A <testsuite> for each.
std::string junit_text_of_all(std::span<const Outcome> outcomes);
/// A test for each, with its results below it.
std::string tap_text_of_all(std::span<const Outcome> outcomes);

}  // namespace reprise::verdict
