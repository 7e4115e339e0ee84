// Excursion: a machine goes over its past for somebody who wants to know something of it, and is then exactly where it was. Of a
// recording it may also go over what is still to come.
//
// Nothing of it is seen outside, and nothing of the user's counts meanwhile: breakpoints, watchpoints, steps, observers.
//
// Thread: the one that runs the machine, between turns (a monitor's command), or outside of Machine::run().
#pragma once

#include <functional>
#include <memory>

#include "machine/machine.h"

namespace reprise::machine {

class Excursion {
 public:
  /// Error: the run keeps no history, or is on its way to an instant: a sentence. It has to end before the machine does
  /// anything else.
  static Result<std::unique_ptr<Excursion>> begin(Machine& machine);
  ~Excursion();
  Excursion(const Excursion&) = delete;
  Excursion& operator=(const Excursion&) = delete;

  Machine& machine() { return machine_; }
  /// Where the run stands, and what it was there.
  const Checkpoint& origin() const { return *origin_; }
  /// How far the history goes: its present; nothing: a recording says what comes.
  std::optional<Position> known_until() const;

  void go_to(const Checkpoint& checkpoint) { machine_.restore(checkpoint); }
  enum class End : u8 {
    There,
    Enough,
    RunEnds,      // the recording ends before
    Interrupted,  // somebody wants the run to end
  };
  /// What happens on the way.
  struct Hears {
    cpu::DebugStops::Wanted wanted = {};              // hears of hits
    std::function<bool()> enough = {};                // asked between turns: whether to stop there
    std::function<void()> between_instructions = {};  // called there; slow
  };
  /// Runs on up to `end`.
  End run_until(const Position& end, Hears hears) {
    return run(machine_, end, std::move(hears), [this] { return interrupted(); });
  }
  /// The same of a machine whose past is of no importance.
  static End run(Machine& machine, const Position& end, Hears hears,
                 const std::function<bool()>& interrupted);
  /// Somebody wants the run to end, or no answer.
  bool interrupted() const {
    return machine_.host_wants_end({}) || (machine_.question_ends_ && machine_.question_ends_());
  }

 private:
  explicit Excursion(Machine& machine);

  Machine& machine_;
  const bool was_past_;
  const Checkpoint* const origin_;
  const bool stopped_;
  const std::optional<u64> stop_at_retired_;
  const u64 next_checkpoint_retired_;
  const std::optional<Machine::Ending> reset_ending_;
  const DiskSet::Figures figures_;
  const TurnObservers turn_observers_;
  struct Observers {
    mmu::PagingObserver* paging;
    const mmu::PhysPages* stores;
    std::vector<cpu::EventObserver*> events;
    std::vector<cpu::InsnObserver*> insns;
  };
  std::vector<Observers> observers_;  // by processor
  Debugger::Standing debugger_;
};

}  // namespace reprise::machine
