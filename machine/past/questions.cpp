#include "machine/past/questions.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine/past/search.h"

namespace reprise::machine {

Result<RamPieces> pieces_of(Machine& machine, unsigned processor, u64 address, u64 bytes, bool linear) {
  const mmu::Mmu& mmu = machine.pc().processors().at(processor).cpu.mmu;
  RamPieces pieces;
  for (u64 done = 0; done < bytes;) {
    const u64 at = address + done;
    u64 phys = at;
    if (linear && !mmu.peek_translate(at, phys))
      return Error{fmt::format(
          "{:#x} is mapped to nothing here: go to where it is, or give the physical address and 'phys'.",
          at)};
    const mmu::PhysMap::Target target = machine.pc().phys_map().find(phys);
    if (target.kind != mmu::PhysMap::Kind::Ram)
      return Error{fmt::format("Physical address {:#x} is not RAM.", phys)};
    const u64 piece = std::min({bytes - done, kPageBytes - (at & ~kPageMask), target.bytes_left});
    if (!pieces.empty() && pieces.back().phys + pieces.back().bytes == phys &&
        pieces.back().ram_offset + pieces.back().bytes == target.ram_offset)
      pieces.back().bytes += piece;
    else
      pieces.push_back({phys, piece, target.ram_offset});
    done += piece;
  }
  return pieces;
}

namespace {

/// What is asked about up to `to` is known: a recording may end before.
Result<Done> check_reached(Excursion& trip, Machine& machine, const Position& to) {
  if (to <= trip.origin().at) return Done{};
  trip.go_to(trip.origin());
  switch (trip.run_until(to, {})) {
    case Excursion::End::Interrupted: return interrupted();
    case Excursion::End::RunEnds:
      return Error{fmt::format("The recording ends at {}, before {}.", position_text(machine.position()),
                               position_text(to))};
    default: return Done{};
  }
}

}  // namespace

Result<Done> look_at(Machine& machine, const Position& at,
                     const std::function<Result<Done>(Excursion& trip)>& look) {
  const auto trip = TRY(Excursion::begin(machine));
  TRY(known_instant(*trip, at, at));
  const Checkpoint* const checkpoint = machine.checkpoints().before(at);
  if (checkpoint == nullptr)
    return Error{fmt::format("{} is before {}, where the history begins.", position_text(at),
                             position_text(machine.checkpoints().first().at))};
  trip->go_to(*checkpoint);
  switch (trip->run_until(at, {})) {
    case Excursion::End::Interrupted: return interrupted();
    case Excursion::End::RunEnds:
      return Error{fmt::format("The recording ends at {}, before {}.", position_text(machine.position()),
                               position_text(at))};
    default: break;
  }
  return look(*trip);
}

Result<Answered<Write>> last_write(Machine& machine, const RamPieces& pieces,
                                   const std::optional<Position>& before) {
  const auto trip = TRY(Excursion::begin(machine));
  const Position from = machine.checkpoints().first().at;
  const Position to = TRY(known_instant(*trip, before, trip->origin().at));
  TRY(check_reached(*trip, machine, to));
  std::vector<Segment> list = segments(machine.checkpoints(), from, to);
  std::erase_if(list, [&](const Segment& segment) { return !segment.may_write(pieces); });
  std::ranges::reverse(list);
  const auto listener = [&](Machine& its) { return WriteListener(its, pieces); };
  Answered<Write> answer{TRY(search(*trip, list, Wanted::Last, listener)), from, to};
  if (!answer.event) trip->go_to(machine.checkpoints().first());
  answer.content = answer.event ? answer.event->after : content_of(machine, pieces);
  return answer;
}

Result<Answered<Write>> first_write(Machine& machine, const RamPieces& pieces,
                                    const std::optional<Position>& after) {
  const auto trip = TRY(Excursion::begin(machine));
  const Position begin = machine.checkpoints().first().at;
  const Position from = std::max(begin, TRY(known_instant(*trip, after, begin)));
  const Position to = trip->known_until().value_or(kEnd);
  std::vector<Segment> list = segments(machine.checkpoints(), from, to);
  std::erase_if(list, [&](const Segment& segment) { return !segment.may_write(pieces); });
  const auto listener = [&](Machine& its) { return WriteListener(its, pieces, from); };
  Answered<Write> answer{TRY(search(*trip, list, Wanted::First, listener)), from, to};
  if (to == kEnd) answer.to = machine.position();
  answer.content = answer.event ? answer.event->after : content_of(machine, pieces);
  return answer;
}

Result<Answered<Happening>> last_execution(Machine& machine, u64 linear,
                                           const std::optional<Position>& before) {
  const auto trip = TRY(Excursion::begin(machine));
  const Position from = machine.checkpoints().first().at;
  const Position to = TRY(known_instant(*trip, before, trip->origin().at));
  TRY(check_reached(*trip, machine, to));
  std::vector<Segment> list = segments(machine.checkpoints(), from, to);
  std::ranges::reverse(list);
  const auto listener = [&](Machine& its) { return ExecutionListener(its, linear); };
  return Answered<Happening>{TRY(search(*trip, list, Wanted::Last, listener)), from, to};
}

Result<Answered<Happening>> next_execution(Machine& machine, u64 linear) {
  const auto trip = TRY(Excursion::begin(machine));
  const Position from = trip->origin().at;
  const Position to = trip->known_until().value_or(kEnd);
  // Not the instruction that is about to be executed.
  const Position behind = {from.retired + 1, 0, 0};
  const auto listener = [&](Machine& its) { return ExecutionListener(its, linear, behind); };
  const std::vector<Segment> list = segments(machine.checkpoints(), from, to);
  Answered<Happening> answer{TRY(search(*trip, list, Wanted::First, listener)), from, to};
  if (to == kEnd) answer.to = machine.position();
  return answer;
}

}  // namespace reprise::machine
