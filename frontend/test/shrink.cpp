#include "frontend/test/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

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

class Shrinking {
 public:
  Shrinking(TrialRuns& trials, const Failure& failure, List all)
      : trials_(trials), failure_(failure), all_(std::move(all)) {}

  Result<List> fewest() {
    const verdict::Kept kept = TRY(verdict::fewest_that_fail(
        all_.size(), kAtATime, [&](std::span<const verdict::Kept> sets) { return first_that_fails(sets); }));
    return list_of(kept);
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

  Result<std::optional<std::size_t>> first_that_fails(std::span<const verdict::Kept> sets) {
    for (std::size_t begin = 0; begin < sets.size(); begin += kAtATime) {
      std::vector<TrialRuns::Wanted> wanted;
      for (const verdict::Kept& kept : sets.subspan(begin, std::min(kAtATime, sets.size() - begin)))
        wanted.push_back({.list = list_of(kept), .names = false});
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

/// What became of `handover` in a run; nullptr: it did not come to it.
const ToldTurn* turn_of(const std::vector<ToldTurn>& turns, const Handover& handover) {
  const auto found = std::ranges::find(turns, handover, &ToldTurn::handover);
  return found == turns.end() ? nullptr : &*found;
}

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
