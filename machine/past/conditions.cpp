#include "machine/past/conditions.h"

#include <algorithm>

#include "machine/past/segments.h"

namespace reprise::machine {
namespace {

/// Gone over instruction by instruction in about a second.
constexpr u64 kWindow = u64{1} << 20;

/// Hears of writes to what a condition is about, behind each of which the machine stops, so that it can be looked at.
class Changes final : public WriteListener {
 public:
  Changes(Machine& machine, const RamPieces& pieces, const Position& from = {})
      : WriteListener(machine, pieces, from), machine_(machine) {}
  void hit(const cpu::DebugHit& hit) override {
    const u64 before = count();
    WriteListener::hit(hit);
    if (count() == before) return;
    changed_ = true;
    Processors& processors = machine_.pc().processors();
    for (const auto& processor : processors)
      if (&processor->cpu == hit.cpu ||
          (hit.cpu == nullptr && processor->index() == processors.running_index())) {
        processor->cpu.debug_stop = true;
        processor->cpu.stop_after_instruction();
      }
  }
  bool take_change() { return std::exchange(changed_, false); }

 private:
  Machine& machine_;
  bool changed_ = false;
};

class Search {
 public:
  Search(Excursion& trip, const Condition& condition) : trip_(trip), condition_(condition) {}

  /// At an instant of what is known.
  Result<bool> holds_at(const Position& at) {
    TRY(go_to(at));
    return condition_.holds();
  }
  Result<Done> go_to(const Position& at) {
    const Checkpoint* const before = machine().checkpoints().before(at);
    trip_.go_to(before != nullptr ? *before : machine().checkpoints().first());
    return run_until(at, {});
  }
  Result<std::optional<Held>> first_by_writes(const Position& from, const Position& to);
  Result<std::optional<Held>> first_by_halves(Position from, Position to);
  Result<std::optional<Held>> last_by_writes(const Position& to);
  Result<std::optional<Held>> last_by_instructions(const Position& to);

 private:
  Machine& machine() { return trip_.machine(); }
  Result<Done> run_until(const Position& at, Excursion::Hears hears) {
    if (trip_.run_until(at, std::move(hears)) == Excursion::End::Interrupted) return interrupted();
    return Done{};
  }

  Excursion& trip_;
  const Condition& condition_;
};

Result<std::optional<Held>> Search::first_by_writes(const Position& from, const Position& to) {
  Changes changes(machine(), condition_.memory, from);
  std::optional<Held> found;
  const auto enough = [&] {
    if (!found && changes.take_change() && condition_.holds()) found = {machine().position(), changes.last()};
    return found.has_value();
  };
  for (const Segment& segment : segments(machine().checkpoints(), from, to)) {
    if (!segment.may_write(condition_.memory)) continue;
    trip_.go_to(*segment.from);
    changes.begin();
    TRY(run_until(segment.to, {changes.wanted(), enough}));
    if (found) break;
  }
  return found;
}

Result<std::optional<Held>> Search::last_by_writes(const Position& to) {
  Changes changes(machine(), condition_.memory);
  std::vector<Segment> list = segments(machine().checkpoints(), machine().checkpoints().first().at, to);
  for (; !list.empty(); list.pop_back()) {
    if (!list.back().may_write(condition_.memory)) continue;
    trip_.go_to(*list.back().from);
    changes.begin();
    std::optional<Held> found;
    bool held = condition_.holds();
    const auto look = [&] {
      if (!changes.take_change()) return false;
      const bool holds = condition_.holds();
      if (holds && !held) found = {machine().position(), changes.last()};
      held = holds;
      return false;
    };
    TRY(run_until(list.back().to, {changes.wanted(), look}));
    if (found) return found;
  }
  return std::optional<Held>();
}

/// It does not hold at `from`, and does at `to`.
Result<std::optional<Held>> Search::first_by_halves(Position from, Position to) {
  std::vector<Position> between;
  for (const auto& one : machine().checkpoints().all())
    if (one->at > from && one->at < to) between.push_back(one->at);
  while (!between.empty()) {
    const auto middle = between.begin() + static_cast<std::ptrdiff_t>(between.size() / 2);
    if (TRY(holds_at(*middle))) {
      to = *middle;
      between.erase(middle, between.end());
    } else {
      from = *middle;
      between.erase(between.begin(), middle + 1);
    }
  }
  while (to.retired > from.retired && to.retired - from.retired > kWindow) {
    const Position middle = {from.retired + (to.retired - from.retired) / 2, 0, 0};
    (TRY(holds_at(middle)) ? to : from) = middle;
  }
  TRY(go_to(from));
  std::optional<Held> found;
  const auto look = [&] {
    if (!found && condition_.holds()) found = {machine().position()};
  };
  TRY(run_until(to, {{},
                     [&] {
                       look();
                       return found.has_value();
                     },
                     look}));
  return found ? found : Held{to};
}

Result<std::optional<Held>> Search::last_by_instructions(const Position& to) {
  std::vector<Segment> list = segments(machine().checkpoints(), machine().checkpoints().first().at, to);
  for (; !list.empty(); list.pop_back()) {
    const Segment& segment = list.back();
    Position end = segment.to;
    // Who asks, often means something that happened lately.
    for (const bool near : {true, false}) {
      Position begin = segment.from->at;
      if (near && end.retired > begin.retired + kWindow) begin = {end.retired - kWindow, 0, 0};
      if (!(begin < end)) break;
      TRY(go_to(begin));
      std::optional<Held> found;
      bool held = condition_.holds();
      const auto look = [&] {
        const bool holds = condition_.holds();
        if (holds && !held) found = {machine().position()};
        held = holds;
      };
      TRY(run_until(end, {{},
                          [&] {
                            look();
                            return false;
                          },
                          look}));
      if (found) return found;
      end = begin;
    }
  }
  return std::optional<Held>();
}

}  // namespace

Result<Answered<Held>> first_held(Machine& machine, const Condition& condition,
                                  const std::optional<Position>& from, const std::optional<Position>& to) {
  const auto trip = TRY(Excursion::begin(machine));
  const Position begin = machine.checkpoints().first().at;
  Answered<Held> answer;
  answer.from = std::max(begin, TRY(known_instant(*trip, from, begin)));
  answer.to = TRY(known_instant(*trip, to, trip->origin().at));
  if (answer.to < answer.from)
    return Error{"The instant that was asked about last lies before the first one."};
  Search search(*trip, condition);
  if (TRY(search.holds_at(answer.from))) {
    answer.event = Held{answer.from, {}, true};
  } else if (!condition.by_instruction) {
    answer.event = TRY(search.first_by_writes(answer.from, answer.to));
  } else if (TRY(search.holds_at(answer.to))) {
    answer.event = TRY(search.first_by_halves(answer.from, answer.to));
  }
  return answer;
}

Result<Answered<Held>> last_begun(Machine& machine, const Condition& condition) {
  const auto trip = TRY(Excursion::begin(machine));
  Search search(*trip, condition);
  Answered<Held> answer{{}, machine.checkpoints().first().at, trip->origin().at};
  answer.event = TRY(condition.by_instruction ? search.last_by_instructions(answer.to)
                                              : search.last_by_writes(answer.to));
  if (!answer.event && TRY(search.holds_at(answer.from))) answer.event = Held{answer.from, {}, true};
  return answer;
}

}  // namespace reprise::machine
