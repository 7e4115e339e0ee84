#include "machine/history/timeline.h"

#include <algorithm>
#include <array>
#include <utility>

namespace reprise::machine {
namespace {

/// Distances from the goal at which checkpoints are laid on the way to it.
constexpr std::array<u64, 5> kDistances = {u64{1} << 26, u64{1} << 24, u64{1} << 22, u64{1} << 20,
                                           u64{1} << 18};

}  // namespace

void Timeline::seek(const Instant& to, const DebugStop& why) {
  phase_ = Phase::Begins;
  goal_ = Goal::Seek;
  to_ = to;
  why_ = why;
}

void Timeline::step_back(unsigned processor, u64 retired) {
  phase_ = Phase::Begins;
  goal_ = Goal::StepBack;
  processor_ = processor;
  retired_ = retired;
}

void Timeline::run_back() {
  phase_ = Phase::Begins;
  goal_ = Goal::RunBack;
}

bool Timeline::cancel() {
  if (phase_ == Phase::None || phase_ == Phase::Begins) {
    phase_ = Phase::None;
    return true;
  }
  const bool searched = phase_ == Phase::Searching;
  phase_ = Phase::Ends;
  if (!searched) from_.reset();
  return false;
}

const Checkpoint* Timeline::before(const Instant& instant) const {
  if (!instant.before_instruction) return checkpoints_.before(instant.at);
  return checkpoints_.before({instant.at.retired, kNever, kNever});
}

std::optional<Timeline::Stretch> Timeline::stretch() const {
  if (phase_ == Phase::Seeking) return Stretch{way_from_, to_.at.retired};
  if (phase_ == Phase::Searching && from_) return Stretch{from_->retired, end_.retired, true};
  return std::nullopt;
}

Timeline::Move Timeline::stop(const DebugStop& why) {
  phase_ = Phase::None;
  lay_at_ = kNever;
  from_.reset();
  found_.reset();
  return {.kind = Move::Kind::Stop, .to = nullptr, .stop = why};
}

/// There is nothing before the first checkpoint.
Timeline::Move Timeline::at_begin() {
  phase_ = Phase::Seeking;
  goal_ = Goal::Seek;
  to_ = {checkpoints_.first().at};
  why_ = {.reason = DebugStop::Reason::HistoryBegins};
  return {.kind = Move::Kind::GoTo, .to = &checkpoints_.first(), .stop = {}};
}

Timeline::Move Timeline::begin_seek(const Position& now) {
  phase_ = Phase::Seeking;
  const Checkpoint* const from = before(to_);
  if (from == nullptr) return at_begin();
  const bool ahead = to_.before_instruction ? now.retired <= to_.at.retired : now <= to_.at;
  const bool stays = ahead && from->at <= now;
  way_from_ = stays ? now.retired : from->at.retired;
  plan_checkpoint(way_from_);
  if (stays) return {};
  return {.kind = Move::Kind::GoTo, .to = from, .stop = {}};
}

Timeline::Move Timeline::begin_search(Position before) {
  const Checkpoint* const from = checkpoints_.before(before, true);
  if (from == nullptr) return at_begin();
  from_ = from->at;
  phase_ = Phase::Searching;
  end_ = before;
  found_.reset();
  return {.kind = Move::Kind::GoTo, .to = from, .stop = {}};
}

Timeline::Move Timeline::begin(const Position& now, std::span<const u64> retired_by) {
  switch (goal_) {
    case Goal::Seek: return begin_seek(now);
    case Goal::RunBack: origin_ = now; return begin_search(now);
    case Goal::StepBack: break;
  }
  if (retired_by.size() == 1) {
    if (now.retired == 0) return at_begin();
    to_ = {{now.retired - 1, 0, 0}, true};
    why_ = {.reason = DebugStop::Reason::Step, .processor = processor_};
    return begin_seek(now);
  }
  const Checkpoint* from = nullptr;
  for (const auto& one : checkpoints_.all())
    if (one->at < now && one->retired_by[processor_] < retired_) from = one.get();
  if (from == nullptr) return at_begin();
  phase_ = Phase::Stepping;
  return {.kind = Move::Kind::GoTo, .to = from, .stop = {}};
}

Timeline::Move Timeline::at_boundary(const Position& now, std::span<const u64> retired_by) {
  switch (phase_) {
    case Phase::None: return {};
    case Phase::Begins: return begin(now, retired_by);
    case Phase::Seeking: return !to_.before_instruction && now >= to_.at ? stop(why_) : Move{};
    case Phase::Stepping:
      // The last instruction of all was its.
      if (retired_by[processor_] < retired_) return {};
      to_ = {{now.retired - 1, 0, 0}, true};
      why_ = {.reason = DebugStop::Reason::Step, .processor = processor_};
      return begin_seek(now);
    case Phase::Searching:
      if (now < end_) return {};
      if (!found_) return begin_search(*from_);
      to_ = found_->at;
      why_ = found_->stop;
      return begin_seek(now);
    case Phase::Ends: break;
  }
  // What was searched so far lies behind this.
  if (from_) {
    to_ = {*std::exchange(from_, std::nullopt)};
    why_ = {};
    return begin_seek(now);
  }
  return stop({});
}

Timeline::Move Timeline::before_instruction(const Position& now) {
  // An instant that never comes, @N.9 where there are fewer steps, is the last one there.
  return phase_ == Phase::Seeking && now.retired >= to_.at.retired ? stop(why_) : Move{};
}

void Timeline::hit(const Position& now, const DebugStop& stop, const std::optional<Position>& event) {
  Instant at{now};
  if (event)
    at.at = *event;
  else if (stop.reason == DebugStop::Reason::Watchpoint)
    at = {{now.retired - 1, 0, 0}, true};
  if (at.is_before(origin_)) found_ = {at, stop};
}

u64 Timeline::limit(u64 retired, u64 limit) const {
  u64 until = lay_at_;
  if (phase_ == Phase::Seeking) until = std::min(until, to_.at.retired);
  if (phase_ == Phase::Searching) until = std::min(until, end_.retired);
  return until > retired ? std::min(limit, until - retired) : limit;
}

std::optional<u64> Timeline::idle_until_ns(u64 retired) const {
  if (phase_ == Phase::Seeking && to_.at.virtual_ns != 0 && to_.at.retired == retired)
    return to_.at.virtual_ns;
  if (phase_ == Phase::Searching && end_.retired == retired) return end_.virtual_ns;
  return std::nullopt;
}

void Timeline::plan_checkpoint(u64 retired) {
  lay_at_ = kNever;
  if (phase_ != Phase::Seeking) return;
  for (const u64 distance : kDistances) {
    if (to_.at.retired < distance || to_.at.retired - distance <= retired + distance / 2) continue;
    lay_at_ = to_.at.retired - distance;
    return;
  }
}

}  // namespace reprise::machine
