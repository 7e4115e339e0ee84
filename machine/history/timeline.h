// Timeline: how a machine gets to an instant of its past, which it can only run forward: from which checkpoint, and up to where.
//
//     seek            checkpoint before, then forward to the instant
//     reverse step    seek to the instant before the processor's last instruction
//     reverse run     segment by segment, the latest first: forward over it with breakpoints and watchpoints, and from the last of
//                     them that was hit a seek to it
//
// It decides; the machine carries out what it says, at the boundaries between its turns. On the way to an instant it asks for
// checkpoints that lie the closer the nearer they are: who goes back a step will go back another one.
//
// Thread: the one that runs the machine.
#pragma once

#include <optional>
#include <span>
#include <utility>

#include "machine/debug/debugger.h"
#include "machine/history/checkpoints.h"

namespace reprise::machine {

/// An instant to get to.
struct Instant {
  Position at;
  /// The last one at which `at.retired` instructions have retired: behind all that was due there, before the next instruction.
  bool before_instruction = false;

  bool is_before(const Position& other) const {
    return before_instruction ? at.retired < other.retired : at < other;
  }
};

class Timeline {
 public:
  struct Move {
    enum class Kind : u8 { GoOn, GoTo, Stop };
    Kind kind = Kind::GoOn;
    const Checkpoint* to = nullptr;  // GoTo
    DebugStop stop = {};             // Stop
  };

  /// Outlives this.
  explicit Timeline(const Checkpoints& checkpoints) : checkpoints_(checkpoints) {}

  // --- A journey begins at the next boundary ---
  /// There it stops, as `why` says.
  void seek(const Instant& to, const DebugStop& why = {});
  /// To before the last instruction of `processor`, which has retired so many.
  void step_back(unsigned processor, u64 retired);
  /// To the last hit before now, or to where the history begins.
  void run_back();
  /// No journey: somebody else has brought it to where it is, and hears what happens up to `end`, as of a search.
  void listen_until(const Position& end) {
    phase_ = Phase::Searching;
    end_ = end;
  }
  void listen_no_more() { phase_ = Phase::None; }
  /// It ends at the next boundary where the machine is, or while it searches, at the beginning of what was searched last. True:
  /// it had not begun, and has ended.
  bool cancel();

  bool travels() const { return phase_ != Phase::None; }
  /// The stretch that is run forward now, which is the way to an instant or a piece of a search: instructions that have retired at
  /// its beginning and at its end. Nothing: it has not begun, or where it ends is not known.
  struct Stretch {
    u64 from_retired = 0;
    u64 to_retired = 0;
    bool search = false;
  };
  std::optional<Stretch> stretch() const;
  /// It begins, or ends, at the next boundary.
  bool turns() const { return phase_ == Phase::Begins || phase_ == Phase::Ends; }
  /// Breakpoints and watchpoints are looked for; else they are passed by.
  bool searches() const { return phase_ == Phase::Searching; }
  /// The way leads, or led, to somewhere before `now`: what comes in at the present has to wait.
  bool goes_back(const Position& now) const {
    return (phase_ == Phase::Begins && (goal_ != Goal::Seek || to_.is_before(now))) ||
           phase_ == Phase::Stepping || phase_ == Phase::Searching;
  }

  // --- For the machine ---
  /// Between turns at `now`; `retired_by` counts by processor.
  Move at_boundary(const Position& now, std::span<const u64> retired_by);
  /// Behind what was due, while a processor is about to execute.
  Move before_instruction(const Position& now);
  /// It wants a say at `now`, whatever else is due there.
  bool arrives(const Position& now) const {
    return (phase_ == Phase::Seeking && !to_.before_instruction && now >= to_.at) ||
           (phase_ == Phase::Searching && now >= end_);
  }
  /// A hit while it searches: where the run would have been stopped by it, or `event` the instant before the event that caused it.
  void hit(const Position& now, const DebugStop& stop, const std::optional<Position>& event);
  /// Of which processor it wants a say when it has retired so many.
  std::optional<std::pair<unsigned, u64>> until_retired_by() const {
    if (phase_ != Phase::Stepping) return std::nullopt;
    return std::pair(processor_, retired_);
  }
  /// Instructions that may retire until it wants a say, at most `limit`.
  u64 limit(u64 retired, u64 limit) const;
  /// Idle time may not pass beyond this.
  std::optional<u64> idle_until_ns(u64 retired) const;
  /// A checkpoint is of use here.
  bool wants_checkpoint(u64 retired) const { return retired >= lay_at_; }
  void took_checkpoint(u64 retired) { plan_checkpoint(retired); }

 private:
  enum class Phase : u8 { None, Begins, Seeking, Stepping, Searching, Ends };
  enum class Goal : u8 { Seek, StepBack, RunBack };
  static constexpr u64 kNever = ~u64{0};

  Move begin(const Position& now, std::span<const u64> retired_by);
  Move begin_seek(const Position& now);
  Move begin_search(Position before);
  Move stop(const DebugStop& why);
  Move at_begin();
  const Checkpoint* before(const Instant& instant) const;
  void plan_checkpoint(u64 retired);

  const Checkpoints& checkpoints_;
  Phase phase_ = Phase::None;
  Goal goal_ = Goal::Seek;
  DebugStop why_;
  Instant to_;              // Seek
  u64 way_from_ = 0;        // the same: instructions that had retired where it began
  unsigned processor_ = 0;  // StepBack
  u64 retired_ = 0;
  Position origin_;               // RunBack: from where
  std::optional<Position> from_;  // the segment
  Position end_;
  struct Hit {
    Instant at;
    DebugStop stop;
  };
  std::optional<Hit> found_;
  u64 lay_at_ = kNever;  // so many retired
};

}  // namespace reprise::machine
