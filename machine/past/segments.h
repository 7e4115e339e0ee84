// The history of a run, cut up at its checkpoints: each piece can be gone over by itself.
#pragma once

#include <optional>
#include <vector>

#include "machine/past/excursion.h"
#include "machine/past/listeners.h"

namespace reprise::machine {

/// Behind all instants.
inline constexpr Position kEnd = {.retired = ~u64{0}, .virtual_ns = ~u64{0}, .step = ~u64{0}};

/// A piece of the history, from a checkpoint on.
struct Segment {
  const Checkpoint* from;
  Position to;
  const Checkpoint* next;  // knows which pages were written in it; nullptr: nobody does

  /// False: none of `pieces` was written in it.
  bool may_write(const RamPieces& pieces) const;
};

/// What lies between `from` and `to`, in the order of time. The first one may begin before `from`.
std::vector<Segment> segments(const Checkpoints& checkpoints, const Position& from, const Position& to);

/// `wanted`, or `otherwise`. Error: it lies behind all that is known, a sentence.
Result<Position> known_instant(const Excursion& trip, const std::optional<Position>& wanted,
                               const Position& otherwise);

/// Why there is no answer.
Error interrupted();

}  // namespace reprise::machine
