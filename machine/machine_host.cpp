// What the host has a say in: the wall limit, requests to end. No part of any guest-visible decision.
#include "machine/machine.h"

#include <fmt/format.h>

#include <algorithm>

namespace reprise::machine {
namespace {

/// Device accesses make many short turns: a look at the host's clock for each would show in the profile.
constexpr unsigned kTurnsBetweenHostChecks = 256;

/// Who asked for the end, as a sentence.
std::string why_requested(ExitReason reason, int exit_code) {
  switch (reason) {
    case ExitReason::Quit: return "ended by the user";
    case ExitReason::HostError: return kOutOfMemory;
    default: return ended_by_signal(exit_code - exit_code_of(ExitReason::Signal));
  }
}

}  // namespace

void Machine::wait_on_host(std::chrono::nanoseconds longest) {
  if (!present_) network_.watch();
  const auto what = present_ ? Inbox::Wait::ForWake : Inbox::Wait::ForMessages;
  inbox_.wait(std::min<std::chrono::nanoseconds>(longest, kMaxSleep), what);
  turns_since_host_check_ = kTurnsBetweenHostChecks;
}

std::optional<Machine::Ending> Machine::check_host(const RunLimits& limits) {
  if (const int reason = end_reason_.load(std::memory_order_acquire); reason >= 0) {
    const auto why = static_cast<ExitReason>(reason);
    const int code = end_code_.load(std::memory_order_relaxed);
    return Ending{why, code, why_requested(why, code)};
  }
  if (!limits.wall_timeout_s) return std::nullopt;
  if (++turns_since_host_check_ < kTurnsBetweenHostChecks &&
      retired() - host_checked_retired_ < kSliceInstructions)
    return std::nullopt;
  turns_since_host_check_ = 0;
  host_checked_retired_ = retired();
  if (!wall_time_is_up(limits)) return std::nullopt;
  return Ending{
      ExitReason::WallTimeout, exit_code_of(ExitReason::WallTimeout),
      fmt::format("the guest was still running after {} s (--wall-timeout)", *limits.wall_timeout_s)};
}

bool Machine::host_wants_end(const RunLimits& limits) const {
  return end_reason_.load(std::memory_order_acquire) >= 0 || wall_time_is_up(limits);
}

bool Machine::wall_time_is_up(const RunLimits& limits) const {
  return limits.wall_timeout_s && wall_s() >= *limits.wall_timeout_s;
}

double Machine::wall_s() const { return std::chrono::duration<double>(HostClock::now() - started_).count(); }

bool Machine::disturbed(const RunLimits& limits) const {
  if (present_ || timeline_.turns()) return timeline_.turns() || host_wants_end(limits);
  return inbox_.has_messages() || network_.ready() || host_wants_end(limits);
}

}  // namespace reprise::machine
