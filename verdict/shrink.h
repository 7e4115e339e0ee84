// The fewest of some things with which a test still fails: delta debugging (Zeller and Hildebrandt, "Simplifying and isolating
// failure-inducing input", IEEE TSE 2002), with a bisection of what comes first in front of it.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::verdict {

/// Numbers of things that stay, in ascending order.
using Kept = std::vector<std::size_t>;

/// Of several sets the first with which the test fails; nothing: it fails with none. They may be tried at the same time. An error ends
/// the search.
using FirstThatFails = std::function<Result<std::optional<std::size_t>>(std::span<const Kept>)>;

/// The test fails with all of `count` things. Those of the result are needed: without any one of them it passes, or fails in another way. `at_a_time` sets
/// are asked for at once where that helps. The result follows from `look` and `at_a_time` alone.
Result<Kept> fewest_that_fail(std::size_t count, std::size_t at_a_time, const FirstThatFails& look);

/// Some of the things that stay, and one more that stands elsewhere.
struct Moved {
  Kept others;
  std::size_t which = 0;
  u64 to = 0;
};
/// Where `which` may stand when there are but `others`, the most promising first. Each look costs as much as one of the test.
using PlacesWith = std::function<Result<std::vector<u64>>(const Kept& others, std::size_t which)>;
/// Of several the first with which the test fails, as FirstThatFails.
using FirstMovedThatFails = std::function<Result<std::optional<std::size_t>>(std::span<const Moved>)>;

/// Things that are needed only because they bring another one to its place: it is moved there without them. Of `kept`, with which the test
/// fails, fewer, with one of `movable` elsewhere: the fewest others first, at most two, and no longer than `most` tests. Nothing: none
/// was found.
Result<std::optional<Moved>> fewer_with_one_moved(const Kept& kept, std::span<const std::size_t> movable,
                                                  u64 most, const PlacesWith& places,
                                                  const FirstMovedThatFails& look);

/// The test fails with `value`. How far it can go from there, towards `end`, and fail at each step that was tried.
using FailsWith = std::function<Result<bool>(u64)>;
Result<u64> farthest_that_fails(u64 value, u64 end, const FailsWith& fails);

}  // namespace reprise::verdict
