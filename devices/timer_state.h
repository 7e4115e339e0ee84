// Saving and loading of an armed timer.
#pragma once

#include "common/archive.h"
#include "common/ports.h"

namespace reprise::devices {

/// Saves the deadline of `timer`; a load arms or cancels it accordingly.
inline void serialize_timer(Archive& archive, Clock& clock, Clock::TimerId timer) {
  u64 deadline_ns = clock.deadline_ns(timer);
  archive.value(deadline_ns);
  if (!archive.loading()) return;
  if (deadline_ns == Clock::kNever)
    clock.cancel(timer);
  else
    clock.arm(timer, deadline_ns);
}

/// `count` clocks of `hz` as nanoseconds, rounded up: the first instant at which that many have elapsed.
constexpr u64 clocks_to_ns(u64 count, u64 hz) {
  return static_cast<u64>((u128{count} * 1'000'000'000 + hz - 1) / hz);
}

/// Whole clocks of `hz` in `ns` nanoseconds.
constexpr u64 ns_to_clocks(u64 ns, u64 hz) { return static_cast<u64>(u128{ns} * hz / 1'000'000'000); }

}  // namespace reprise::devices
