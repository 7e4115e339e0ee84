// Results of tests in the Test Anything Protocol as kernels and their tools speak it: KTAP (kernel:
// Documentation/dev-tools/ktap.rst), KUnit's older form, and TAP 13 and 14 as kselftest prints it, with the output of a test
// behind "# ". Lines of a kernel's log may have stamps, and others may stand between.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"
#include "verdict/costs.h"

namespace reprise::verdict {

/// Error: the test told of no result, because the run ended or something else went wrong. ExpectedFailure: "not ok" with TODO or XFAIL.
enum class TestOutcome : u8 { Pass, Fail, Skip, ExpectedFailure, Error };

/// "pass", "fail", "skip", "xfail", "error".
std::string_view outcome_name(TestOutcome outcome);

struct TestResult {
  std::string name;  // may be empty
  u64 number = 0;    // as printed; 0: none was
  TestOutcome outcome = TestOutcome::Error;
  std::string reason;                    // of a directive, or of an error: for people
  std::string at;                        // the instant of the line with the result; empty: there is none
  std::vector<std::string> diagnostics;  // lines that came with it, without stamps
  std::vector<TestResult> children;      // of a suite
  std::optional<Costs> costs;            // from the result before it to its own; of a suite with all in it
};

struct TapCounts {
  u64 passed = 0;
  u64 failed = 0;
  u64 skipped = 0;
  u64 expected_failures = 0;
  u64 errors = 0;
  bool good() const { return failed == 0 && errors == 0; }
  u64 all() const { return passed + failed + skipped + expected_failures + errors; }
};

/// What counts are the tests without children, and a suite that says worse than all of its tests do.
TapCounts count_results(const std::vector<TestResult>& results);

/// Whether `suite` itself counts as a test that went wrong: its result is bad, and none of its children is.
bool counts_itself(const TestResult& suite);

}  // namespace reprise::verdict
