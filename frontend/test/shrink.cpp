#include "frontend/test/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>

#include "common/numbers.h"
#include "common/words.h"
#include "frontend/test/place_text.h"
#include "frontend/test/trial_runs.h"
#include "verdict/shell_words.h"
#include "verdict/shrink.h"

namespace reprise::frontend {
namespace {

using machine::Handover;
using List = std::vector<Handover>;

/// So many runs look at one step of the search at a time, whatever the host has: what is found is then the same.
constexpr std::size_t kAtATime = 4;
/// How far a handover is moved in looking for the bounds between which it makes the test fail.
constexpr u64 kFarthest = 1 << 20;
/// One that cannot be moved so far is where the race is.
constexpr u64 kNear = 64;
/// So many of those are tried elsewhere, at so many of the times at which their processor comes by, and no more runs than that.
constexpr std::size_t kMovable = 3;
constexpr std::size_t kTimes = 48;
constexpr u64 kMostMoved = 1500;

/// What became of `handover` in a run; nullptr: it did not come to it.
const ToldTurn* turn_of(const std::vector<ToldTurn>& turns, const Handover& handover) {
  const auto found = std::ranges::find(turns, handover, &ToldTurn::handover);
  return found == turns.end() ? nullptr : &*found;
}

class Shrinking {
 public:
  Shrinking(TrialRuns& trials, const Failure& failure, List all)
      : trials_(trials), failure_(failure), all_(std::move(all)) {}

  Result<List> fewest() {
    const verdict::Kept kept = TRY(verdict::fewest_that_fail(
        all_.size(), kAtATime, [&](std::span<const verdict::Kept> sets) { return first_that_fails(sets); }));
    if (kept.size() < 2) return list_of(kept);
    const std::optional<verdict::Moved> fewer = TRY(with_one_moved(kept));
    return fewer ? list_of(*fewer) : list_of(kept);
  }

  /// How far `list[which]` can be moved towards `end`.
  Result<u64> bound(const List& list, std::size_t which, u64 end) {
    return verdict::farthest_that_fails(list[which].after, end,
                                        [&](u64 after) { return fails(moved(list, which, after)); });
  }

  static List moved(List list, std::size_t which, u64 after) {
    list[which].after = after;
    return list;
  }

 private:
  List list_of(const verdict::Kept& kept) const {
    List list;
    for (const std::size_t one : kept) list.push_back(all_[one]);
    return list;
  }
  List list_of(const verdict::Moved& with) const {
    List list = list_of(with.others);
    list.push_back(all_[with.which]);
    list.back().after = with.to;
    return list;
  }

  /// Those of `kept` that can be moved least, which are where the race is.
  Result<std::vector<std::size_t>> narrowest(const verdict::Kept& kept) {
    const List list = list_of(kept);
    std::vector<TrialRuns::Wanted> wanted;
    for (std::size_t i = 0; i < list.size(); ++i)
      for (const u64 after : {list[i].after - std::min(list[i].after, kNear), list[i].after + kNear})
        wanted.push_back({.list = moved(list, i, after), .names = false});
    const auto done = TRY(trials_.run(wanted));
    std::vector<std::pair<unsigned, std::size_t>> order;  // how often it failed as well, and which
    for (std::size_t i = 0; i < list.size(); ++i)
      order.emplace_back((done[2 * i].failure == failure_) + (done[2 * i + 1].failure == failure_), kept[i]);
    std::ranges::stable_sort(order, {}, &std::pair<unsigned, std::size_t>::first);
    std::vector<std::size_t> movable;
    for (std::size_t i = 0; i < std::min(order.size(), kMovable); ++i) movable.push_back(order[i].second);
    return movable;
  }

  /// The handover that meets the race, moved to where its processor comes by the same place when there are fewer others.
  Result<std::optional<verdict::Moved>> with_one_moved(const verdict::Kept& kept) {
    const std::vector<std::size_t> movable = TRY(narrowest(kept));
    const auto told = TRY(trials_.run({{.list = list_of(kept), .names = false}}));
    std::map<std::size_t, PlaceOfProcessor> places;
    for (const std::size_t which : movable) {
      const ToldTurn* const turn = turn_of(told[0].turns, all_[which]);
      if (turn != nullptr)
        if (const auto linear = parse_number(turn->stops_at)) places[which] = {all_[which].from, *linear};
    }
    const auto times = [&](const verdict::Kept& others, std::size_t which) -> Result<std::vector<u64>> {
      const auto place = places.find(which);
      if (place == places.end()) return std::vector<u64>();
      const auto done =
          TRY(trials_.run({{.list = list_of(others), .names = false, .places = {place->second}}}));
      std::vector<u64> all;
      for (const Handover& one : done[0].came_by) all.push_back(one.after);
      return some_of(std::move(all), all_[which].after);
    };
    return verdict::fewer_with_one_moved(kept, movable, kMostMoved, times,
                                         [&](std::span<const verdict::Moved> tried) {
                                           std::vector<List> lists;
                                           for (const verdict::Moved& one : tried)
                                             lists.push_back(list_of(one));
                                           return first_list_that_fails(lists);
                                         });
  }

  /// Evenly, and those that are nearest to `near` first.
  static std::vector<u64> some_of(std::vector<u64> all, u64 near) {
    std::vector<u64> some;
    const std::size_t count = std::min(all.size(), kTimes);
    for (std::size_t i = 0; i < count; ++i) some.push_back(all[i * all.size() / count]);
    std::ranges::sort(some, {}, [near](u64 one) { return one > near ? one - near : near - one; });
    return some;
  }

  Result<std::optional<std::size_t>> first_that_fails(std::span<const verdict::Kept> sets) {
    std::vector<List> lists;
    for (const verdict::Kept& kept : sets) lists.push_back(list_of(kept));
    return first_list_that_fails(lists);
  }

  Result<std::optional<std::size_t>> first_list_that_fails(std::span<const List> lists) {
    for (std::size_t begin = 0; begin < lists.size(); begin += kAtATime) {
      std::vector<TrialRuns::Wanted> wanted;
      for (const List& list : lists.subspan(begin, std::min(kAtATime, lists.size() - begin)))
        wanted.push_back({.list = list, .names = false});
      const auto done = TRY(trials_.run(wanted));
      for (std::size_t i = 0; i < done.size(); ++i)
        if (done[i].failure == failure_) return std::optional(begin + i);
    }
    return std::optional<std::size_t>();
  }

  Result<bool> fails(const List& list) {
    const auto done = TRY(trials_.run({{.list = list, .names = false}}));
    return done[0].failure == failure_;
  }

  TrialRuns& trials_;
  const Failure failure_;
  const List all_;  // in the order of their positions
};

/// Places in `list`, by when its handovers came; those that did not come last.
std::vector<std::size_t> in_order_of_time(const List& list, const std::vector<ToldTurn>& turns) {
  std::vector<std::size_t> order(list.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) {
    return std::ranges::find(turns, list[i], &ToldTurn::handover) - turns.begin();
  });
  return order;
}

std::string option_of(const PlannedRun& run, std::string_view name) {
  for (const std::string& word : run.words) {
    if (word == "--") break;
    if (word.starts_with(name)) return word.substr(name.size());
  }
  return {};
}

}  // namespace

Result<Done> shrink_run(const PlannedRun& run, const TestRequest& request, const std::string& folder,
                        std::size_t jobs, StandardOutputs& outputs) {
  TrialRuns trials(folder, run, jobs);
  const auto own = TRY(trials.run({{.list = {}, .names = false}}));
  const Failure failure = own[0].failure;
  if (failure.kind == verdict::VerdictKind::Pass) return Error{"the run does not fail when it is repeated."};
  List all;
  for (const ToldTurn& turn : own[0].turns) all.push_back(turn.handover);
  const auto as_list = TRY(trials.run({{.list = all, .names = false}}));
  if (as_list[0].failure != failure)
    return Error{
        fmt::format("the list of its {} handovers does not fail as the run does: its turns were not all that "
                    "made it fail.",
                    all.size())};

  Shrinking shrinking(trials, failure, all);
  const List list = TRY(shrinking.fewest());
  if (list.empty()) {
    outputs.out.write(fmt::format("shrunk {}: it fails without any handover that was forced\n", run.name));
  } else {
    std::vector<TrialRuns::Wanted> wanted = {{.list = list, .names = true}};
    std::vector<std::pair<u64, u64>> bounds;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const u64 after = list[i].after;
      const u64 lowest = TRY(shrinking.bound(list, i, after - std::min(after, kFarthest)));
      const u64 highest = TRY(shrinking.bound(list, i, after + kFarthest));
      bounds.emplace_back(lowest, highest);
      for (const u64 bound : {lowest, highest})
        wanted.push_back({.list = Shrinking::moved(list, i, bound), .names = true});
    }
    const auto told = TRY(trials.run(wanted));
    PlaceText places(option_of(run, "--symbols="), request.module_symbols, request.root);
    outputs.out.write(fmt::format("shrunk {}: {} of {} handovers make it fail, found by {} runs\n", run.name,
                                  list.size(), all.size(), trials.count()));
    for (const std::size_t i : in_order_of_time(list, told[0].turns)) {
      const ToldTurn* const turn = turn_of(told[0].turns, list[i]);
      outputs.out.write(fmt::format(
          "  processor {} stops after {} of its instructions{}: processor {} goes on{}\n", list[i].from,
          list[i].after,
          turn == nullptr ? std::string()
                          : fmt::format(", at {}, before {}", turn->position, places.text(turn->stops_at)),
          list[i].to, turn == nullptr ? "" : " at " + places.text(turn->goes_on_at)));
      if (bounds[i].first == bounds[i].second) continue;
      std::string window;
      for (const auto& [bound, trial] :
           {std::pair(bounds[i].first, 2 * i + 1), std::pair(bounds[i].second, 2 * i + 2)}) {
        Handover moved = list[i];
        moved.after = bound;
        const ToldTurn* const there = turn_of(told[trial].turns, moved);
        window += fmt::format("{} {}{}", window.empty() ? "from" : " to", bound,
                              there == nullptr ? "" : ", before " + places.text(there->stops_at));
      }
      outputs.out.write(fmt::format("    it fails as well {}\n", window));
    }
  }
  std::vector<std::string> again = {"reprise", "test"};
  std::ranges::copy(trials.words_with(list), std::back_inserter(again));
  outputs.out.write(fmt::format("  to repeat it: {}\n", verdict::shell_words(again)));
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  return Done{};
}

}  // namespace reprise::frontend
