// TapLine: what one line says in the Test Anything Protocol.
#pragma once

#include <string>
#include <string_view>

#include "verdict/tap.h"

namespace reprise::verdict {

struct TapLine {
  /// Subtest: "# Subtest: NAME". Diagnostic: any other line that begins with '#'. Other: none of the protocol's.
  enum class Kind : u8 { Version, Plan, Result, Subtest, Diagnostic, BailOut, Other };
  Kind kind = Kind::Other;
  /// How deep it lies: blanks before it, and two for each "# " behind which the output of a test stands.
  std::size_t depth = 0;
  u64 number = 0;                            // of a plan: how many tests; of a result: which; 0: none
  TestOutcome outcome = TestOutcome::Error;  // of a result
  std::string text;                          // a name, a reason, or what a diagnostic says
  std::string reason;                        // of a result with a directive; of a plan that skips all
};

/// `line` is without its stamp. `quotes` is how many "# " belong to the depth, where so many are there.
TapLine parse_tap_line(std::string_view line, std::size_t quotes);

/// How many "# " stand before a version line; npos: it is none.
std::size_t quotes_of_version(std::string_view line);

}  // namespace reprise::verdict
