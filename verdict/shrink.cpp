#include "verdict/shrink.h"

#include <algorithm>

namespace reprise::verdict {
namespace {

Kept first_of(std::size_t count) {
  Kept kept(count);
  for (std::size_t i = 0; i < count; ++i) kept[i] = i;
  return kept;
}

/// What came behind the failure changes nothing: so many of the first ones that are enough.
Result<std::size_t> enough_of_the_first(std::size_t count, std::size_t at_a_time,
                                        const FirstThatFails& look) {
  std::size_t passes = 0, fails = count;
  while (fails - passes > 1) {
    const std::size_t parts = std::min(at_a_time + 1, fails - passes);
    std::vector<Kept> sets;
    for (std::size_t i = 1; i < parts; ++i) sets.push_back(first_of(passes + (fails - passes) * i / parts));
    const std::optional<std::size_t> first = TRY(look(sets));
    const std::size_t before = first.value_or(sets.size());
    if (first) fails = sets[*first].size();
    if (before != 0) passes = sets[before - 1].size();
  }
  return fails;
}

/// Without the `part`-th of `parts`.
Kept without(const Kept& kept, std::size_t part, std::size_t parts) {
  Kept rest;
  const std::size_t begin = kept.size() * part / parts, end = kept.size() * (part + 1) / parts;
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (i < begin || i >= end) rest.push_back(kept[i]);
  return rest;
}

/// All ways to take `count` of `from`, one or two or none, in order.
std::vector<Kept> choices(const Kept& from, std::size_t count) {
  if (count == 0) return {Kept()};
  std::vector<Kept> all;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (count == 1) all.push_back({from[i]});
    for (std::size_t j = i + 1; count == 2 && j < from.size(); ++j) all.push_back({from[i], from[j]});
  }
  return all;
}

}  // namespace

Result<Kept> fewest_that_fail(std::size_t count, std::size_t at_a_time, const FirstThatFails& look) {
  if (count == 0) return Kept();
  const Kept nothing;
  if (TRY(look({&nothing, 1}))) return nothing;
  Kept kept = first_of(TRY(enough_of_the_first(count, std::max<std::size_t>(at_a_time, 1), look)));
  for (std::size_t parts = 2; kept.size() > 1;) {
    parts = std::min(parts, kept.size());
    std::vector<Kept> sets;
    for (std::size_t part = 0; part < parts; ++part) sets.push_back(without(kept, part, parts));
    if (const std::optional<std::size_t> first = TRY(look(sets))) {
      kept = sets[*first];
      parts = std::max<std::size_t>(parts - 1, 2);
    } else if (parts == kept.size()) {
      break;
    } else {
      parts *= 2;
    }
  }
  return kept;
}

Result<std::optional<Moved>> fewer_with_one_moved(const Kept& kept, std::span<const std::size_t> movable,
                                                  u64 most, const PlacesWith& places,
                                                  const FirstMovedThatFails& look) {
  constexpr std::size_t kMostOthers = 2;
  u64 tests = 0;
  for (std::size_t count = 0; count <= kMostOthers && count + 1 < kept.size(); ++count) {
    for (const std::size_t which : movable) {
      Kept rest = kept;
      std::erase(rest, which);
      for (const Kept& others : choices(rest, count)) {
        if (tests >= most) return std::optional<Moved>();
        std::vector<Moved> tried;
        for (const u64 to : TRY(places(others, which))) tried.push_back({others, which, to});
        tests += tried.size() + 1;
        if (const std::optional<std::size_t> first = TRY(look(tried))) return std::optional(tried[*first]);
      }
    }
  }
  return std::optional<Moved>();
}

Result<u64> farthest_that_fails(u64 value, u64 end, const FailsWith& fails) {
  const bool up = end > value;
  const u64 room = up ? end - value : value - end;
  const auto at = [&](u64 distance) { return up ? value + distance : value - distance; };
  u64 good = 0, bad = room + 1;
  for (u64 step = 1; good + step <= room; step *= 2) {
    if (!TRY(fails(at(good + step)))) {
      bad = good + step;
      break;
    }
    good += step;
  }
  while (bad - good > 1) {
    const u64 middle = good + (bad - good) / 2;
    if (TRY(fails(at(middle))))
      good = middle;
    else
      bad = middle;
  }
  return at(good);
}

}  // namespace reprise::verdict
