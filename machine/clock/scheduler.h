// Scheduler: virtual time and the events that happen in it.
//
//     now_ns = instructions retired + time skipped while the processors were halted or stalled
//
// One retired instruction lasts one virtual nanosecond, so the clock is a pure function of execution: no host
// clock, no host thread. docs/time.md tells the whole story.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/archive.h"
#include "common/ports.h"

namespace reprise::machine {

/// Where the instruction count comes from. Exact even while an instruction executes.
class RetiredCounter {
 public:
  virtual ~RetiredCounter() = default;
  /// Instructions retired before the current one.
  virtual u64 retired_now() const = 0;
};

/// Thread: the one that runs the machine.
class Scheduler final : public Clock {
 public:
  /// `deadline_moved` is called when an armed timer became the next to fire: whoever runs a processor up to
  /// the former deadline must stop it.
  explicit Scheduler(
      const RetiredCounter& counter, std::function<void()> deadline_moved = [] {})
      : counter_(counter), deadline_moved_(std::move(deadline_moved)) {}

  // Clock
  u64 now_ns() const override { return counter_.retired_now() + idle_ns_; }
  TimerId create_timer(std::string_view name, std::function<void()> callback) override;
  void arm(TimerId timer, u64 deadline_ns) override;
  void cancel(TimerId timer) override;
  u64 deadline_ns(TimerId timer) const override;
  void belongs_to_host(TimerId timer) override { timers_.at(timer).of_host = true; }

  /// The earliest armed deadline, or kNever.
  u64 next_deadline_ns() const { return next_deadline_ns_; }
  /// How many instructions may retire before the next event is due; at least 1, at most `limit`.
  u64 budget(u64 limit) const;

  /// Runs the callbacks that are due, by deadline, then in the order of arming. A timer that its callback
  /// arms again for now or the past waits for the next call, so that a guest cannot stop time. Returns how
  /// many of the guest's ran. `after_each` is called behind each of the guest's own.
  unsigned run_due(const std::function<void()>& after_each = [] {});
  /// The same, until `enough` says so behind one of them: then the next call goes on with those that are left. False: some
  /// are.
  bool run_due_until(const std::function<void()>& after_each, const std::function<bool()>& enough);
  /// Some are left of a run_due_until() that was enough.
  bool amid_due() const { return std::ranges::any_of(timers_, &Timer::left); }
  /// While a callback runs: how many instructions had retired when its timer was armed. Nothing: none runs, or that was in another
  /// process.
  std::optional<u64> due_since_retired() const { return running_since_retired_; }

  /// Moves the clock to `deadline_ns` without executing anything: all processors are halted. No effect when
  /// past.
  void skip_to(u64 deadline_ns);
  u64 idle_ns() const { return idle_ns_; }

  /// The running instruction takes `ns` longer than others. The processor stops behind it; settle() moves the clock, so that
  /// all of the instruction, and of what ran before it, sees the same time however often it is looked at.
  void stall(u64 ns) override {
    stalled_ns_ += ns;
    deadline_moved_();
  }
  /// Between instructions. Returns by how much.
  u64 settle() {
    idle_ns_ += stalled_ns_;
    return std::exchange(stalled_ns_, 0);
  }

  /// Idle time. Before the devices, which arm their own timers when they load.
  void serialize_time(Archive& archive) {
    archive.at_most(idle_ns_, kMaxNs);
    archive.at_most(stalled_ns_, kMaxNs);
  }
  /// Of the guest's timers: deadlines, and which of equal ones was armed first. After the devices.
  void serialize_timers(Archive& archive);
  /// Which are left of a run_due_until(): where the run is in an instant; and since when they are armed. After serialize_timers().
  void serialize_amid(Archive& archive) {
    for (Timer& timer : timers_) {
      if (timer.of_host) continue;
      archive.value(timer.left);
      archive.value(timer.armed_retired);
    }
  }
  /// Of the host's: no part of what is compared or hashed. Other ones than these are left alone.
  void serialize_host_timers(Archive& archive);

  /// Of the guest's, in the order of their creation.
  std::vector<std::string> timer_names() const;
  /// A line per armed timer, for a person.
  std::string dump() const;

 private:
  struct Timer {
    std::string name;
    std::function<void()> callback;
    u64 deadline_ns = kNever;
    u64 order = 0;               // of arming
    u64 armed_retired = kNever;  // when it was; kNever: not known
    bool of_host = false;
    bool left = false;  // by a run_due_until() that was enough
  };
  static constexpr std::size_t kNone = ~std::size_t{0};
  static constexpr u64 kMaxNs = u64{1} << 62;

  /// The timer to fire first among those armed before `order_limit`, or kNone.
  std::size_t first_due(u64 now, u64 order_limit, bool left_only) const;
  void update_next();

  // A machine has some tens of timers and arms them rarely compared with reading the clock: a scan of a short
  // array beats a heap that must support removal.
  const RetiredCounter& counter_;
  std::function<void()> deadline_moved_;
  std::vector<Timer> timers_;
  u64 next_order_ = 0;
  u64 next_deadline_ns_ = kNever;
  u64 idle_ns_ = 0;
  u64 stalled_ns_ = 0;
  std::optional<u64> running_since_retired_;
};

}  // namespace reprise::machine
