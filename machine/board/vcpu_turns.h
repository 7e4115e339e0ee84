// VcpuTurns: which of several processors runs, and until when. One host thread runs all of them in turns; position is
// the number of instructions that all of them have retired, and a turn ends at a position.
//
// State of the machine: the guest sees who came first.
//
// PCT, "probabilistic concurrency testing" (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): of the processors
// that want to run, the one of the highest priority does. Priorities are drawn at first; at each of depth - 1 drawn
// positions the running one falls below all others. A bug that takes `depth` ordered events is hit with a probability of
// at least 1 / (processors * length^(depth - 1)) by that alone. Since guests wait for each other by spinning, one that says
// so by PAUSE, and one that has run for long while others wanted to, fall below them, too, for which the bound does not
// hold; once all have fallen, priorities are drawn anew, so that they still follow from the seed.
//
// A list says at which of its own instructions a processor's turn ends. Its own, since what it does depends less on how often others
// ran than the position does: so a list of which some are left out still names the places that it named.
#pragma once

#include <vector>

#include "common/archive.h"
#include "common/types.h"
#include "machine/board/schedule.h"

namespace reprise::machine {

class VcpuTurns {
 public:
  static constexpr u64 kNever = ~u64{0};
  /// RoundRobin: so much shorter are turns while somebody waits by PAUSE.
  static constexpr u64 kShortened = 16;
  /// Pct: so many instructions are too many while others want to run, however often it halts in between or is preempted:
  /// one of higher priority that wakes up for short times must not keep the least urgent from ever running.
  static constexpr u64 kPctBound = 2'000'000;

  /// List: a turn ends after so many instructions while others want to run. Longer than any turn of the other policies by default.
  static constexpr u64 kListTurn = 5'000'000;

  /// The first of `processors`, from 1 to 64, begins.
  VcpuTurns(unsigned processors, const Schedule& schedule);

  const Schedule& schedule() const { return schedule_; }
  /// Pct, with several: whoever begins to want to run may be more urgent than the current one. pass() tells.
  bool by_urgency() const { return processors_ > 1 && schedule_.policy == Schedule::Policy::Pct; }
  /// Whoever has another turn has no more of its PAUSEs than before.
  bool keeps_pauses() const { return schedule_.policy != Schedule::Policy::RoundRobin; }
  unsigned current() const { return current_; }
  /// How many instructions are left of its turn at `position`; kNever when there is nobody else.
  u64 left(u64 position) const;

  /// Whoever is next of those that want to run (`wanting`: bit i for processor i) gets a turn from `position` on. None
  /// does: false, and nothing changes.
  bool pass(u64 position, u64 wanting);
  /// The current one waits for others and says so: they get shorter turns until it has another. Before pass().
  void pauses();

  /// Of those that want to run, the next one behind `current` in a round. One does.
  static unsigned next_in_turn(unsigned current, u64 wanting);

  /// A load from a machine with another schedule keeps who runs; begins_anew() tells, and begin() is to follow.
  void serialize(Archive& archive);
  bool begins_anew() const { return begins_anew_; }
  /// The schedule begins at `position`.
  void begin(u64 position);

 private:
  void start();
  void serialize_own(Archive& archive);
  bool has_handover(unsigned processor) const;
  unsigned next_by_list(u64 position, u64 wanting);
  unsigned most_urgent(u64 wanting) const;
  void fall(unsigned processor);
  void draw_priorities();
  u64 draw();

  const unsigned processors_;
  const Schedule schedule_;
  u64 random_;  // begins elsewhere for each seed: seeds that follow each other must not give sequences that do
  unsigned current_ = 0;
  u64 end_ = 0;      // of the turn: a position
  u64 pausing_ = 0;  // RoundRobin, a bit each: gave its turn away by PAUSE and has not had another
  // Pct
  u64 fallen_ = 0;               // a bit each: since the priorities were drawn
  std::vector<i64> priorities_;  // by processor, all different
  i64 lowest_ = 0;
  std::vector<u64> changes_;  // positions, the last one comes first
  std::vector<u64> ran_;      // by processor: instructions since it fell, while others wanted to run
  u64 since_ = 0;             // the current one while others want to: a position. kNever: none do
  // List
  std::vector<u64> own_;     // by processor: instructions since the schedule began, before this turn
  std::vector<u64> listed_;  // by processor: which of the schedule's handovers is its next
  u64 began_ = 0;            // the turn: a position

  bool begins_anew_ = false;
};

}  // namespace reprise::machine
