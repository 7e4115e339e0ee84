// Schedule: how the turns of several processors are dealt out. Part of what a run is.
// The default lengths of turns were measured: docs/decisions/0012-turns-of-three-milliseconds.md
#pragma once

#include <vector>

#include "common/types.h"
#include "machine/board/handover.h"

namespace reprise::machine {

struct Schedule {
  enum class Policy : u8 {
    RoundRobin,  // in the order of the processors, for turns of drawn lengths
    Pct,         // the one with the highest of random priorities runs: to find races
    List,        // in the order of the processors, each until it waits, but for what `handovers` says
  };
  Policy policy = Policy::RoundRobin;
  u64 seed = 1;  // all random numbers of the schedule come from it
  // RoundRobin: instructions of a turn, 1 <= shortest <= longest.
  u64 shortest = 1'500'000;
  u64 longest = 4'500'000;
  // Pct: the priorities change `depth` - 1 times, at random instructions of the first `length`; both at least 1.
  u64 depth = 3;
  u64 length = 1'000'000'000;
  // List: by `from`, and then by `after`.
  std::vector<Handover> handovers = {};

  bool operator==(const Schedule&) const = default;

  /// Turns short enough for kernels that compare the clocks of several sockets by loops without PAUSE.
  void shorten_for_sockets() {
    shortest = 100'000;
    longest = 300'000;
  }
};

}  // namespace reprise::machine
