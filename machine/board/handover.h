// Handover: a processor's turn ends at a place of its own, and another one has the next. A list of them says all that matters of
// how the processors of a run met: `--schedule list:0/5228/1,1/77/0`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine {

struct Handover {
  u8 from = 0;    // processor
  u64 after = 0;  // so many of its own instructions since the schedule began
  u8 to = 0;      // the same as `from`: it has another turn

  bool operator==(const Handover&) const = default;
};

/// "0/5228/1".
std::string handover_text(const Handover& handover);
/// With commas between.
std::string handovers_text(const std::vector<Handover>& handovers);

/// What these write; of those of one processor after the same number the last one counts; or a line for each, of which what stands behind a blank is for people, as are lines that begin with '#'.
/// The result is in the order of Schedule::handovers. Error: the part that is none, as a phrase.
Result<std::vector<Handover>> parse_handovers(std::string_view text);

}  // namespace reprise::machine
