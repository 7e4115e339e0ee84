// Recording, and following a recording. docs/recording.md.
#include <fmt/format.h>

#include <algorithm>

#include "common/check.h"
#include "common/words.h"
#include "machine/machine.h"

namespace reprise::machine {
namespace {

/// No state of the guest's shows it, so it is where the recording says.
bool ends_by_host(ExitReason reason) {
  return reason == ExitReason::Quit || reason == ExitReason::Signal || reason == ExitReason::WallTimeout ||
         reason == ExitReason::HostError;
}

}  // namespace

Position Machine::position() const { return position_at(retired(), virtual_ns()); }

void Machine::note_step() {
  note_hit(position());
  const u64 now = retired();
  step_ = {now, step_.retired == now ? step_.count + 1 : 1};
}

// --- Recording ---

void Machine::record_hash_if_due() {
  if (replay_ || !recorder_.complete() || retired() < next_recorded_hash_) return;
  recorder_.add(RecordedHash{position(), state_hash(), image_reads()});
  next_recorded_hash_ = retired() + kHashEveryRetired;
}

void Machine::end_recording(const RunResult& result) {
  if (!replay_)
    recorder_.end({position(), static_cast<u8>(result.reason), result.exit_code, result.message,
                   result.state_hash, image_reads()});
}

// --- Following ---

Result<Done> Machine::follow(std::unique_ptr<Replay> replay) {
  CHECK(replay->recording() != nullptr);
  TRY(check_is_machine_of(replay->recording()->run()));
  replay_ = std::move(replay);
  outside_.follow_recording();
  return Done{};
}

u64 Machine::until_recorded(u64 limit) const {
  if (!replay_)
    return next_recorded_hash_ > retired() ? std::min(limit, next_recorded_hash_ - retired()) : limit;
  const u64 next = replay_->next_at().retired;
  return next > retired() ? std::min(limit, next - retired()) : limit;
}

void Machine::let_in_recorded(const RunLimits& limits) {
  // While it stands still nothing comes in, so that it stands where somebody wanted it to.
  const auto wanted = [&] {
    return !stopped_ && !is_at_present() && !timeline_.arrives(position()) && !at_stop_step(limits);
  };
  for (std::optional<LoggedEvent> logged; wanted() && (logged = replay_->take_event(position()));)
    outside_.let_in_recorded(*logged);
}

std::optional<Machine::Ending> Machine::follow_recording(const RunLimits& limits) {
  replay_->check_passed(position());
  if (!replay_->difference().empty()) return differing();
  let_in_recorded(limits);
  return recorded_ending_by_host();
}

Machine::Ending Machine::differing() {
  details_ = replay_->report();
  if (const Recording* const recording = replay_->recording();
      recording != nullptr && recording->run().program != config_.origin.program)
    details_ += fmt::format("recorded by  {}; this is {}, which may do something else\n",
                            in_one_line(recording->run().program.substr(0, 100)), config_.origin.program);
  return {ExitReason::ReplayDiffers, exit_code_of(ExitReason::ReplayDiffers),
          fmt::format("the run differs from its recording at {}: {}", position_text(position()),
                      replay_->difference())};
}

std::optional<Machine::Ending> Machine::recorded_ending() {
  if (!replay_) return std::nullopt;
  const Position now = position();
  if (const RecordedEnd* const end = replay_->end_at(now))
    return Ending{static_cast<ExitReason>(end->reason), end->exit_code, end->message};
  // Its own run lives on behind the present.
  if (replay_->recording() == nullptr || replay_->next() != nullptr || now < replay_->next_at())
    return std::nullopt;
  // Who asked for a later instant gets there: what came from outside after the recording's end is not known.
  if (replay_goes_on_ && !away_ && !replay_->damaged()) return std::nullopt;
  const ExitReason reason = replay_->damaged() ? ExitReason::HostError : ExitReason::StopAt;
  return Ending{reason, exit_code_of(reason),
                fmt::format("the recording is over at {}: {}", position_text(now), replay_->cut())};
}

std::optional<Machine::Ending> Machine::recorded_ending_by_host() {
  // Somebody holds it there, or has gone back from it.
  if (held_ending_ || present_) return std::nullopt;
  const RecordedEnd* const end = replay_->end_at(position());
  if (end == nullptr || !ends_by_host(static_cast<ExitReason>(end->reason))) return std::nullopt;
  return recorded_ending();
}

std::optional<Machine::Ending> Machine::compare_with_recording(const RunLimits& limits) {
  while (replay_->hash_is_due(position())) {
    if (away_)
      replay_->pass_hash();
    else
      replay_->take_hash(position(), state_hash(), image_reads());
    if (!replay_->difference().empty()) return differing();
    let_in_recorded(limits);
  }
  return recorded_ending();
}

Machine::Ending Machine::compared(Ending ending) {
  if (ending.reason == ExitReason::ReplayDiffers || replay_->next() == nullptr) return ending;
  const Position now = position();
  if (replay_->end_at(now) != nullptr) {
    if (const auto end = replay_->take_end(now, static_cast<u8>(ending.reason), state_hash(), image_reads()))
      return {ending.reason, end->exit_code, end->message};
    if (!replay_->difference().empty()) return differing();
  }
  // Stopped before its end, by who replays it.
  if (ends_by_host(ending.reason) || ending.reason == ExitReason::StopAt ||
      ending.reason == ExitReason::Timeout || ending.reason == ExitReason::EnginesDiffer)
    return ending;
  replay_->differs(now, "the run ends: " + ending.message);
  return differing();
}

std::optional<Machine::Ending> Machine::idle_as_recorded() {
  Scheduler& scheduler = pc_.scheduler();
  u64 deadline_ns = scheduler.next_deadline_ns();
  const Position& next = replay_->next_at();
  if (replay_->next() != nullptr && next.retired == retired())
    deadline_ns = std::min(deadline_ns, next.virtual_ns);
  if (present_ && present_->at.retired == retired())
    deadline_ns = std::min(deadline_ns, present_->at.virtual_ns);
  deadline_ns = std::min(deadline_ns, timeline_.idle_until_ns(retired()).value_or(Clock::kNever));
  // All that is due now has been done, and what the recording has for this time is to come behind more than that.
  const bool futile = deadline_ns <= virtual_ns() && replay_->next() != nullptr && position() < next &&
                      idled_at_ == position();
  idled_at_ = position();
  if (deadline_ns == Clock::kNever || futile) {
    replay_->differs(position(), "the guest waits for what never comes");
    return differing();
  }
  scheduler.skip_to(deadline_ns);
  return std::nullopt;
}

}  // namespace reprise::machine
