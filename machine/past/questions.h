// Questions about the past of a run: who wrote some bytes, when an instruction was executed. docs/time-travel.md.
//
// Each goes over as much of the history as it has to, from checkpoint to checkpoint, and leaves the run exactly where it was.
// Answers are exact: they are what a run that went straight through would have been stopped at.
//
// Thread: the one that runs the machine, between turns, or outside of Machine::run().
#pragma once

#include <functional>
#include <optional>

#include "machine/past/listeners.h"

namespace reprise::machine {

class Excursion;

/// Where the `bytes` at `address` lie now; `linear`: as processor `processor` translates it now. Error: not all of them are
/// RAM, or mapped: a sentence.
Result<RamPieces> pieces_of(Machine& machine, unsigned processor, u64 address, u64 bytes, bool linear);

template <class Event>
struct Answered {
  std::optional<Event> event;    // nothing: there was none
  Position from, to;             // what was asked about: from where the history is known
  std::vector<u8> content = {};  // of writes: what the bytes hold, or nothing wrote, in all of it
};

// Errors: the history is not kept or does not reach so far, somebody wants the run to end: a sentence.

/// Before `before`; by default, where the run stands.
Result<Answered<Write>> last_write(Machine& machine, const RamPieces& pieces,
                                   const std::optional<Position>& before = {});
/// At or behind `after`, by default where the history begins, up to the run's present or a recording's end.
Result<Answered<Write>> first_write(Machine& machine, const RamPieces& pieces,
                                    const std::optional<Position>& after = {});
/// As a breakpoint there would stop, whatever the address space.
Result<Answered<Happening>> last_execution(Machine& machine, u64 linear,
                                           const std::optional<Position>& before = {});
/// Behind what is to be executed where the run stands.
Result<Answered<Happening>> next_execution(Machine& machine, u64 linear);

/// Calls `look` while the run is at `at`, whatever is asked for there by what only looks; it may go on from there.
Result<Done> look_at(Machine& machine, const Position& at,
                     const std::function<Result<Done>(Excursion& trip)>& look);

}  // namespace reprise::machine
