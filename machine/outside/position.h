// Position: an instant of a run.
#pragma once

#include <compare>

#include "common/types.h"

namespace reprise::machine {

/// Several things may happen between two instructions, and while all processors are halted: each that does (input that comes
/// in, a timer, a reset) is a step.
struct Position {
  u64 retired = 0;     // instructions, over all processors
  u64 virtual_ns = 0;  // idle time included
  u64 step = 0;        // since the last of them

  auto operator<=>(const Position&) const = default;
};

}  // namespace reprise::machine
