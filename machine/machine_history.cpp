// The machine's own past: checkpoints of it, going back to them and over it again, up to the present. docs/time-travel.md.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "machine/machine.h"
#include "machine/record/recorded_entries.h"

namespace reprise::machine {

Result<Done> Machine::check_can_go_back() const {
  if (!unusable_.empty()) return Error{unusable_};
  if (!keeps_history_ && checkpoints_.empty())
    return Error{
        "This run keeps no history: --checkpoints on does, as do --gdb and a replay with --monitor."};
  return check_content_goes_back();
}

Result<Done> Machine::check_content_goes_back() const {
  for (const AttachedDisk& disk : disks_.attached()) {
    if (disk.medium->read_only() || disk.medium->generations() != nullptr) continue;
    return Error{
        fmt::format("What the guest writes to {} goes to a file, of which no earlier contents are kept: "
                    "--checkpoints on keeps them, or "
                    "give the disk without write=yes and overlay=.",
                    disk.name)};
  }
  return Done{};
}

std::vector<u64> Machine::retired_by() const {
  std::vector<u64> counts;
  for (const auto& processor : pc_.processors()) counts.push_back(processor->cpu.state.retired);
  return counts;
}

const Checkpoint& Machine::take_checkpoint(u64 number) {
  Checkpoint checkpoint{.at = position(), .number = number, .retired_by = retired_by()};
  Archive archive;
  pc_.serialize(archive);
  serialize_checkpoint(archive);
  checkpoint.machine.assign(archive.bytes().begin(), archive.bytes().end());
  checkpoint.log = replay_ ? replay_->place() : recorder_.end_place();
  const Checkpoint& taken = checkpoints_.add(std::move(checkpoint));
  next_checkpoint_retired_ = retired() + config_.history.interval_instructions;
  timeline_.took_checkpoint(retired());
  return taken;
}

void Machine::begin_history() {
  media_changes_.follow_history([this] { return position(); }, [this] { return present_.has_value(); });
  recorder_.keep_log();
  take_checkpoint();
}

Result<u64> Machine::keep_checkpoint() {
  TRY(check_can_go_back());
  keeps_history_ = true;
  if (checkpoints_.empty()) begin_history();
  const u64 number = take_checkpoint(next_checkpoint_number_).number;
  if (number == next_checkpoint_number_) ++next_checkpoint_number_;
  return number;
}

bool Machine::keep_history() {
  if (away_) return true;
  if (debugger_.take_change()) changed_by_debugger();
  if (!keeps_history_) {
    if (std::exchange(keeps_beginning_, false) && checkpoints_.empty() && check_content_goes_back())
      begin_history();
    return true;
  }
  if (checkpoints_.empty()) {
    if (!check_can_go_back()) return true;
    begin_history();
  }
  // The log was too large to be kept: what was before cannot be run again.
  if (!replay_ && checkpoints_.first().log.offset < recorder_.first_offset()) {
    checkpoints_.clear();
    begin_history();
  }
  if (!stopped_ && (retired() >= next_checkpoint_retired_ || timeline_.wants_checkpoint(retired())))
    take_checkpoint();
  if (!timeline_.travels()) return true;
  if (!present_ && timeline_.goes_back(position())) {
    if (const Result<Done> left = leave_present(); !left) {
      log_.write("guest", LogLevel::Error, "{}", left.error().message);
      timeline_.cancel();
      stopped_ = true;
      debugger_.stopped();
      return true;
    }
  }
  return carry_out(timeline_.at_boundary(position(), retired_by()));
}

bool Machine::carry_out(const Timeline::Move& move) {
  bool here = true;
  if (move.kind == Timeline::Move::Kind::GoTo) {
    restore(*move.to);
    here = false;
  }
  // On its way somewhere a run passes by whatever it may hit.
  debugger_.suspend(timeline_.travels() && !timeline_.searches());
  if (const auto until = timeline_.until_retired_by())
    pc_.processors().at(until->first).cpu.stop_at_retired = until->second;
  if (move.kind == Timeline::Move::Kind::Stop) {
    DebugStop stop = move.stop;
    if (stop.reason != DebugStop::Reason::Breakpoint && stop.reason != DebugStop::Reason::Watchpoint &&
        stop.reason != DebugStop::Reason::Step)
      stop.processor = pc_.processors().running_index();
    stopped_ = true;
    debugger_.stopped_as(stop);
  }
  return here;
}

void Machine::note_hit(const std::optional<Position>& event) {
  if (!timeline_.searches() || !debugger_.due()) return;
  timeline_.hit(position(), debugger_.stop_now(), event);
  debugger_.resumed();
}

bool Machine::run_due(const RunLimits& limits) {
  return pc_.scheduler().run_due_until(
      [&] {
        note_step();
        if (replay_) let_in_recorded(limits);
      },
      [&] { return is_at_present() || timeline_.arrives(position()) || at_stop_step(limits); });
}

cpu::VcpuExit Machine::run_processors(u64 budget) {
  if (!each_instruction_) [[likely]]
    return pc_.processors().run(budget);
  const u64 end = retired() + budget;
  for (;;) {
    const cpu::VcpuExit exit = pc_.processors().run(1);
    if (exit != cpu::VcpuExit::Budget || retired() >= end) return exit;
    each_instruction_();
  }
}

bool Machine::about_to_execute() const {
  return !pc_.asleep() && !pc_.processors().at(pc_.processors().running_index()).cpu.stop_requested &&
         std::ranges::any_of(pc_.processors(),
                             [](const auto& processor) { return processor->vcpu.runnable(); });
}

// --- Journeys ---

void Machine::stop() {
  if (!timeline_.cancel()) return;
  if (!std::exchange(stopped_, true)) debugger_.stopped();
}

void Machine::resume() {
  stopped_ = false;
  stop_at_retired_.reset();
  debugger_.resumed();
  if (debugger_.take_change()) changed_by_debugger();
}

Result<Done> Machine::begin_journey() {
  TRY(check_can_go_back());
  keeps_history_ = true;
  stopped_ = false;
  stop_at_retired_.reset();
  debugger_.resumed();
  return Done{};
}

Result<Done> Machine::go_to(const Instant& instant) {
  TRY(begin_journey());
  timeline_.seek(instant);
  return Done{};
}

Result<Done> Machine::step_back(unsigned processor) {
  TRY(begin_journey());
  timeline_.step_back(processor, pc_.processors().at(processor).cpu.state.retired);
  return Done{};
}

Result<Done> Machine::run_back() {
  TRY(begin_journey());
  timeline_.run_back();
  return Done{};
}

// --- Past and present ---

namespace {

/// What the host's answers in the log hold, which they name by digests where it comes again.
std::shared_ptr<RecordedShareLog> content_of_shares(const RecordedLog& log) {
  auto content = std::make_shared<RecordedShareLog>();
  for (RecordedEntries entries(log.bytes, log.first_offset); entries.next() != nullptr; entries.pop()) {
    const auto* const event = std::get_if<LoggedEvent>(entries.next());
    const auto* const answer = event == nullptr ? nullptr : std::get_if<AnswerEvent>(&event->event);
    if (answer != nullptr && is_share(event->sink)) (void)content->answer(answer->answer);
  }
  return content;
}

}  // namespace

Result<Done> Machine::leave_present() {
  TRY(check_can_go_back());
  std::unique_ptr<Replay> own_run;
  std::shared_ptr<RecordedShareLog> share_log;
  if (!replay_) {
    RecordedLog log = TRY(recorder_.log());
    if (!shares_.backends().empty()) share_log = content_of_shares(log);
    own_run = std::make_unique<Replay>(std::move(log), recorder_.end_place());
  }
  // By which it can come back at once.
  take_checkpoint();
  Archive own;
  serialize_checkpoint(own);
  present_ = Present{.at = position(),
                     .ending = std::exchange(held_ending_, std::nullopt),
                     .own = {own.bytes().begin(), own.bytes().end()},
                     .figures = disks_.figures(),
                     .boot_attempts = pc_.debug_log().boot_attempts()};
  if (own_run) {
    replay_ = std::move(own_run);
    shares_.set_repeats(share_log);
    disks_.set_repeats(true);
  }
  gate_.set_open(false);
  return Done{};
}

void Machine::restore(const Checkpoint& checkpoint) {
  CHECK(present_);
  checkpoints_.restore(checkpoint, [this](u64 page) { pc_.page_replaced(page * kPageBytes); });
  for (std::size_t drive = 0; drive < disks_.attached().size(); ++drive) media_changes_.attach(drive);
  Archive archive(checkpoint.machine);
  pc_.serialize(archive);
  serialize_checkpoint(archive);
  CHECK(archive.ok() && archive.at_end());
  pc_.state_repeated();
  replay_->go_to(checkpoint.log);
  reset_ending_.reset();
  debugger_.resumed();
  next_checkpoint_retired_ = checkpoint.at.retired + config_.history.interval_instructions;
}

void Machine::arrive() {
  checkpoints_.passed(checkpoints_.last());
  const Present present = *std::exchange(present_, std::nullopt);
  gate_.set_open(true);
  if (replay_->recording() == nullptr) {
    replay_.reset();
    shares_.set_repeats(nullptr);
    disks_.set_repeats(false);
  }
  disks_.set_figures(present.figures);
  pc_.debug_log().set_boot_attempts(present.boot_attempts);
  Archive own(present.own);
  serialize_checkpoint(own);
  CHECK(own.ok() && own.at_end());
  held_ending_ = present.ending;
  if (!held_ending_ || stopped_) return;
  if (timeline_.travels()) {
    (void)timeline_.cancel();
    return;
  }
  // Nobody holds it any more.
  if (!debugger_.is_attached()) return;
  stopped_ = true;
  debugger_.stopped_as(
      {.reason = DebugStop::Reason::HistoryEnds, .processor = pc_.processors().running_index()});
}

bool Machine::holds(const Ending& ending) const {
  if (!keeps_history_ || !debugger_.is_attached() || ending.reason == ExitReason::ReplayDiffers) return false;
  if (replay_) return !held_ending_.has_value() && !ending_was_held_;
  switch (ending.reason) {
    case ExitReason::Panic:
    case ExitReason::TripleFault:
    case ExitReason::Reset:
    case ExitReason::Hang:
    case ExitReason::NoBoot: return !ending_was_held_;
    default: return false;
  }
}

void Machine::leave_future_outside() {
  shares_.set_repeats(nullptr);
  disks_.set_repeats(false);
  if (const Result<Done> settled = disks_.settle(); !settled)
    log_.write("disk", LogLevel::Error, "{}", settled.error().message);
  pc_.lose_share_handles();
  share_log_ = {};
}

/// From here on it is a run of its own, which nothing was known of.
void Machine::live_on() {
  const bool was_past = std::exchange(present_, std::nullopt).has_value();
  gate_.set_open(true);
  const bool own_run = replay_->recording() == nullptr;
  replay_.reset();
  if (was_past && own_run) leave_future_outside();
  held_ending_.reset();
  media_changes_.forget_after(position());
  pc_.keep_variables();
  next_recorded_hash_ = retired();
}

void Machine::changed_by_debugger() {
  const bool was_past = in_past();
  if (replay_) live_on();
  recorder_.abandon("a debugger has written to the guest");
  if (was_past) network_.leave_connections();
  checkpoints_.clear();
}

void Machine::branch() {
  if (!present_) return;
  const bool own_run = replay_->recording() == nullptr;
  const RecordPlace place = replay_->place();
  live_on();
  if (!own_run) {
    recorder_.abandon("it is a branch of a recorded run");
    checkpoints_.clear();
    return;
  }
  recorder_.cut_off(place);
  checkpoints_.forget_after(position());
  if (!network_.leave_connections()) return;
  // The guest sees that, and no recording has it.
  recorder_.abandon("it went back while the guest was connected with something outside");
  checkpoints_.clear();
}

}  // namespace reprise::machine
