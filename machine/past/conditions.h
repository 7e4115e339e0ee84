// Since when something holds in the past of a run. docs/time-travel.md.
//
// Thread: the one that runs the machine, between turns, or outside of Machine::run().
#pragma once

#include <functional>
#include <optional>

#include "machine/past/questions.h"

namespace reprise::machine {

/// Something that holds of a machine or does not.
struct Condition {
  std::function<bool()> holds;  // now
  RamPieces memory = {};        // that it depends on
  /// On something else too: it is looked at between all instructions.
  bool by_instruction = false;
};

/// It came to hold.
struct Held {
  Position at;                      // the first instant
  std::optional<Write> write = {};  // which made it so; nothing: not known, or it held from the beginning
  bool from_the_beginning = false;  // of what was asked about
};

// Errors: as in questions.h.

/// The first instant at which it holds between `from`, by default where the history begins, and `to`, by default where the run
/// stands. One that is looked at by instruction has to hold at `to`: it is halved, so that one that comes and goes gives one of the
/// instants at which it came.
Result<Answered<Held>> first_held(Machine& machine, const Condition& condition,
                                  const std::optional<Position>& from = {},
                                  const std::optional<Position>& to = {});
/// The last instant before where the run stands at which it held and had not just before.
Result<Answered<Held>> last_begun(Machine& machine, const Condition& condition);

}  // namespace reprise::machine
