// When every processor is halted: time is skipped, or slept through on the host, or the guest hangs.
#include "machine/machine.h"

#include <algorithm>

namespace reprise::machine {
namespace {

/// Timers keep running whose interrupts a dead guest has masked; a live one is woken well within this time.
constexpr u64 kMaxIdleNs = 3'600'000'000'000;
/// A guest at a prompt, or whose work is done, is woken by timers for ever. Longer than anything sleeps that will go on.
constexpr u64 kMaxQuietNs = 24 * kMaxIdleNs;
/// Of which it may have worked so much: what timers of a kernel cost.
constexpr u64 kMaxQuietWorkNs = kMaxQuietNs / 50;

}  // namespace

std::optional<Machine::Ending> Machine::idle(const RunLimits& limits) {
  panic_.refute();
  Scheduler& scheduler = pc_.scheduler();
  const bool something_came = !present_ && (inbox_.has_messages() || network_.ready());
  if (pending_.request != MachineRequest::None || something_came) return std::nullopt;
  if (scheduler.next_deadline_ns() <= scheduler.now_ns()) return std::nullopt;
  if (replay_) return idle_as_recorded();
  if (!pc_.processors().interruptible() && !pc_.watchdog_runs() && !pc_.unmaskable_may_come() &&
      !pc_.asleep()) {
    return hang("the guest halted its processor with interrupts off");
  }
  if (retired() != idle_retired_) {
    idle_retired_ = retired();
    idle_from_ns_ = scheduler.now_ns();
  }
  // An alarm comes within a day.
  const bool long_idle = scheduler.now_ns() - idle_from_ns_ >= (pc_.alarm_is_set() ? 25 : 1) * kMaxIdleNs;
  if (long_idle && inbox_.closed()) {
    return hang(pc_.asleep()
                    ? "the guest sleeps, and nothing that could wake it has come for an hour of its time"
                    : "the guest waits for an interrupt, and nothing has raised one for an hour of its time");
  }
  note_signs_of_life();
  if (!pc_.alarm_is_set() && scheduler.now_ns() - quiet_from_ns_ >= kMaxQuietNs && inbox_.closed() &&
      retired() - quiet_from_retired_ <= kMaxQuietWorkNs) {
    return hang(
        "the guest does nothing but wait: for a day of its time it has printed nothing and used no drive, "
        "and "
        "nobody can give it anything");
  }
  if (scheduler.next_deadline_ns() == Clock::kNever && !timeline_.idle_until_ns(retired())) {
    if (inbox_.closed()) return hang("the guest waits for an interrupt that nothing can raise");
    wait_on_host(kMaxSleep);
    return std::nullopt;
  }
  const u64 deadline_ns =
      std::min({scheduler.next_deadline_ns(), limits.virtual_timeout_ns.value_or(Clock::kNever),
                timeline_.idle_until_ns(retired()).value_or(Clock::kNever)});
  if (limits.clock == ClockMode::Paced || inbox_.accompanied())
    wait_paced(deadline_ns, limits);
  else
    scheduler.skip_to(deadline_ns);
  return std::nullopt;
}

void Machine::note_signs_of_life() {
  const u64 signs = signs_of_life();
  if (signs == signs_before_quiet_) return;
  signs_before_quiet_ = signs;
  quiet_from_ns_ = virtual_ns();
  quiet_from_retired_ = retired();
}

Machine::Ending Machine::hang(std::string_view why) {
  return {ExitReason::Hang, exit_code_of(ExitReason::Hang), std::string(why)};
}

void Machine::wait_paced(u64 deadline_ns, const RunLimits& limits) {
  using std::chrono::nanoseconds;
  Scheduler& scheduler = pc_.scheduler();
  const u64 from_ns = scheduler.now_ns();
  auto from = HostClock::now() - idle_overslept_;
  const nanoseconds whole{static_cast<i64>(std::min<u64>(deadline_ns - from_ns, 3'600'000'000'000))};
  nanoseconds waited = HostClock::now() - from;
  const auto is_paced = [&] { return limits.clock == ClockMode::Paced || inbox_.accompanied(); };
  while (waited < whole && is_paced() && !disturbed(limits)) {
    wait_on_host(whole - waited);
    if (host_calls_.waiting()) host_calls_.serve();
    if (stopped_) from += stay_stopped(limits);
    waited = HostClock::now() - from;
  }
  // Whoever waited with the guest has gone: the rest is skipped.
  if (!is_paced() && !disturbed(limits)) waited = whole;
  if (waited < whole) {
    // Input came first: how long the guest had been idle enters with it.
    scheduler.skip_to(from_ns + static_cast<u64>(std::max<i64>(waited.count(), 0)));
    idle_overslept_ = nanoseconds{0};
    return;
  }
  scheduler.skip_to(from_ns + static_cast<u64>(whole.count()));
  // A late wake-up shortens the next sleep, so that the guest's clock does not fall behind by one each tick.
  idle_overslept_ = std::min<nanoseconds>(waited - whole, kMaxSleep);
}

std::chrono::nanoseconds Machine::stay_stopped(const RunLimits& limits) {
  const HostClock::time_point from = HostClock::now();
  while (stopped_ && !disturbed(limits)) {
    wait_on_host(kMaxSleep);
    if (host_calls_.waiting()) host_calls_.serve();
  }
  return HostClock::now() - from;
}

}  // namespace reprise::machine
