// The timer of a local APIC. SDM 3A 10.5.4, "APIC Timer", and 10.5.4.1, "TSC-Deadline Mode".
// The input clock is 1 GHz: one tick per virtual nanosecond before the divider. The TSC is virtual nanoseconds as well.
// Differs from hardware: periods under 1 us expire at most once a microsecond, so that no guest can swamp its host.
#pragma once

#include <functional>

#include "common/archive.h"
#include "common/ports.h"

namespace reprise::devices {

class LapicTimer {
 public:
  /// LVT timer register, bits 18:17.
  enum class Mode : u8 { OneShot, Periodic, TscDeadline };

  /// `expired` is called from the clock, and only while the timer is not masked.
  LapicTimer(Clock& clock, std::function<void()> expired);

  /// Entering and leaving TSC-deadline mode disarms the timer. A masked timer counts but never expires visibly.
  void set_lvt(Mode mode, bool masked);

  /// Starts counting; 0 stops. Ignored in TSC-deadline mode.
  void set_initial_count(u32 count);
  u32 initial_count() const { return initial_count_; }
  /// 0 when stopped and in TSC-deadline mode.
  u32 current_count() const;
  /// Bits 0, 1 and 3 of the divide configuration register. The current count goes on from its value.
  void set_divide_configuration(u32 value);
  u32 divide_configuration() const { return divide_configuration_; }

  /// IA32_TSC_DEADLINE as virtual time, which the CPU translates from and to the guest's TSC; 0 disarms. Writes outside
  /// TSC-deadline mode are ignored, reads give 0.
  void set_tsc_deadline(u64 deadline_ns);
  u64 tsc_deadline() const;

  void reset();
  void serialize(Archive& archive);

 private:
  unsigned divisor() const;
  u64 period_ns() const { return u64{initial_count_} * divisor(); }
  /// The first expiry after `now_ns`, or Clock::kNever.
  u64 expiry_after(u64 now_ns) const;
  /// Forgets expiries that have passed unseen.
  void roll_forward();
  void aim_at_tsc_deadline();
  void update_event();
  void on_event();

  Clock& clock_;
  std::function<void()> expired_;
  Clock::TimerId event_;

  Mode mode_ = Mode::OneShot;
  bool masked_ = true;
  u32 initial_count_ = 0;
  u32 divide_configuration_ = 0;
  u64 expiry_ns_ = Clock::kNever;  // may lie in the past while masked
  u64 tsc_deadline_ = 0;           // virtual ns
};

}  // namespace reprise::devices
