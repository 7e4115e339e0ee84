#include "machine/clock/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

namespace reprise::machine {

Clock::TimerId Scheduler::create_timer(std::string_view name, std::function<void()> callback) {
  timers_.push_back({.name = std::string(name), .callback = std::move(callback)});
  return static_cast<TimerId>(timers_.size() - 1);
}

void Scheduler::arm(TimerId timer, u64 deadline_ns) {
  Timer& entry = timers_.at(timer);
  entry.deadline_ns = deadline_ns;
  entry.order = next_order_++;
  entry.armed_retired = counter_.retired_now();
  entry.left = false;
  const u64 before = next_deadline_ns_;
  update_next();
  if (next_deadline_ns_ < before) deadline_moved_();
}

void Scheduler::cancel(TimerId timer) {
  timers_.at(timer).deadline_ns = kNever;
  timers_.at(timer).left = false;
  update_next();
}

u64 Scheduler::deadline_ns(TimerId timer) const { return timers_.at(timer).deadline_ns; }

u64 Scheduler::budget(u64 limit) const {
  if (next_deadline_ns_ == kNever) return std::max<u64>(limit, 1);
  const u64 now = now_ns();
  const u64 left = next_deadline_ns_ > now ? next_deadline_ns_ - now : 1;
  return std::clamp<u64>(limit, 1, left);
}

unsigned Scheduler::run_due(const std::function<void()>& after_each) {
  unsigned fired = 0;
  run_due_until(
      [&] {
        ++fired;
        after_each();
      },
      [] { return false; });
  return fired;
}

bool Scheduler::run_due_until(const std::function<void()>& after_each, const std::function<bool()>& enough) {
  const u64 now = now_ns();
  if (next_deadline_ns_ > now) return true;
  const bool amid = amid_due();
  const u64 order_limit = next_order_;
  for (std::size_t index; (index = first_due(now, order_limit, amid)) != kNone;) {
    Timer& timer = timers_[index];
    timer.deadline_ns = kNever;
    timer.left = false;
    update_next();
    if (timer.armed_retired != kNever) running_since_retired_ = timer.armed_retired;
    timer.callback();
    running_since_retired_.reset();
    if (timer.of_host) continue;
    after_each();
    if (first_due(now, order_limit, amid) == kNone || !enough()) continue;
    for (Timer& one : timers_) one.left = amid ? one.left : one.deadline_ns <= now && one.order < order_limit;
    return false;
  }
  return true;
}

void Scheduler::skip_to(u64 deadline_ns) {
  const u64 now = now_ns();
  if (deadline_ns != kNever && deadline_ns > now) idle_ns_ += deadline_ns - now;
}

void Scheduler::serialize_timers(Archive& archive) {
  archive.tag("timers");
  // Ranks rather than order numbers: how often timers were armed in the past is nobody's state.
  std::vector<u64> orders;
  for (const Timer& timer : timers_) {
    if (timer.deadline_ns != kNever && !timer.of_host) orders.push_back(timer.order);
  }
  std::ranges::sort(orders);
  for (Timer& timer : timers_) {
    if (timer.of_host) {
      // It fires as it would have, whatever the orders of the others are now.
      if (archive.loading()) timer.order = 0;
      continue;
    }
    const auto place = std::ranges::lower_bound(orders, timer.order);
    u64 rank = timer.deadline_ns == kNever ? 0 : static_cast<u64>(place - orders.begin());
    archive.value(timer.deadline_ns);
    archive.at_most(rank, timers_.size());
    if (archive.loading()) timer.order = rank;
  }
  if (!archive.loading()) return;
  for (Timer& timer : timers_) {
    timer.left = false;
    timer.armed_retired = kNever;
  }
  next_order_ = timers_.size() + 1;
  update_next();
}

void Scheduler::serialize_host_timers(Archive& archive) {
  std::vector<u64> deadlines_ns;
  for (const Timer& timer : timers_)
    if (timer.of_host) deadlines_ns.push_back(timer.deadline_ns);
  const std::size_t count = deadlines_ns.size();
  constexpr std::size_t kMaxTimers = 64;
  archive.value(deadlines_ns, kMaxTimers);
  if (!archive.loading() || deadlines_ns.size() != count) return;
  std::size_t next = 0;
  for (Timer& timer : timers_)
    if (timer.of_host) timer.deadline_ns = deadlines_ns[next++];
  update_next();
}

std::vector<std::string> Scheduler::timer_names() const {
  std::vector<std::string> names;
  for (const Timer& timer : timers_)
    if (!timer.of_host) names.push_back(timer.name);
  return names;
}

std::string Scheduler::dump() const {
  std::string text = fmt::format("now {} ns, of which idle {} ns\n", now_ns(), idle_ns_);
  for (const Timer& timer : timers_) {
    if (timer.deadline_ns != kNever) text += fmt::format("  {} at {} ns\n", timer.name, timer.deadline_ns);
  }
  return text;
}

std::size_t Scheduler::first_due(u64 now, u64 order_limit, bool left_only) const {
  std::size_t best = kNone;
  for (std::size_t i = 0; i < timers_.size(); ++i) {
    const Timer& timer = timers_[i];
    if (timer.deadline_ns > now || timer.deadline_ns == kNever || timer.order >= order_limit ||
        (left_only && !timer.left))
      continue;
    if (best == kNone || timer.deadline_ns < timers_[best].deadline_ns ||
        (timer.deadline_ns == timers_[best].deadline_ns && timer.order < timers_[best].order)) {
      best = i;
    }
  }
  return best;
}

void Scheduler::update_next() {
  next_deadline_ns_ = kNever;
  for (const Timer& timer : timers_) next_deadline_ns_ = std::min(next_deadline_ns_, timer.deadline_ns);
}

}  // namespace reprise::machine
