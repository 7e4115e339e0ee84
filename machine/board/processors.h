// Processors: all of the board's, in turns.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "machine/board/processor.h"
#include "machine/board/vcpu_turns.h"
#include "machine/clock/scheduler.h"

namespace reprise::machine {

/// A turn that ended.
struct EndedTurn {
  u64 position = 0;
  unsigned from = 0;  // processor
  unsigned to = 0;    // who has the next one; may be the same
  u64 retired = 0;    // by `from`, since it was made
  bool natural =
      false;  // `from` halts, or waits to be started, and whoever comes next in a round has the turn
};

/// Thread: the one that runs the machine.
class Processors final : public RetiredCounter {
 public:
  /// There will be `count`, at least 1.
  Processors(unsigned count, const Schedule& schedule) : turns_(count, schedule) {}
  /// During construction of the board only.
  void add(std::unique_ptr<Processor> processor) { all_.push_back(std::move(processor)); }

  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }
  unsigned count() const { return static_cast<unsigned>(all_.size()); }
  Processor& at(unsigned index) { return *all_.at(index); }
  const Processor& at(unsigned index) const { return *all_.at(index); }

  /// The one on which loaders and firmware start, and to whose LINT0 the 8259 pair is wired. SDM 3A 8.4.1
  Processor& boot() { return *all_.front(); }
  /// The one whose turn it is, and its index.
  Processor& running() { return *all_[turns_.current()]; }
  unsigned running_index() const { return turns_.current(); }
  const Schedule& schedule() const { return turns_.schedule(); }

  /// Lets them retire at most `budget` instructions together; ends as Vcpu::run() of the one that ran last does. Halted
  /// and WaitForSipi: none of them has anything to do.
  cpu::VcpuExit run(u64 budget);
  /// Makes run() return at the next boundary. Also before there are any.
  void request_stop() {
    if (!all_.empty()) running().vcpu.request_stop();
  }

  /// Something has come for processor `index` that may end its halt: if it can be more urgent than the one that runs,
  /// run() looks. Also before there are any.
  void woken(unsigned index) {
    if (turns_.by_urgency() && index < count() && index != turns_.current()) request_stop();
  }

  /// Called with each turn that ends, once the next one has begun; nullptr: nobody is.
  void tell_of_turns(std::function<void(const EndedTurn&)> listener) { turn_listener_ = std::move(listener); }

  /// What the one that ran last did took `ns` longer. Before the next run().
  void stalled(u64 ns) { all_[ran_last_]->cpu.state.stalled_ns += ns; }

  /// Instructions that all of them have retired before the current one.
  u64 retired_now() const override {
    return all_.empty() ? 0 : others_retired_ + all_[turns_.current()]->cpu.retired_now();
  }
  /// Does one of them wait for an interrupt that it would take?
  bool interruptible() const;
  /// The least privilege with which one of them runs.
  unsigned highest_cpl() const;

  /// Their turns and states; their local APICs are devices.
  void serialize(Archive& archive);
  /// Their MMUs. A load has to come behind everything that flushes them.
  void serialize_mmus(Archive& archive);

 private:
  /// Bit i: processor i could run.
  u64 wanting() const;
  /// The next one that could run gets a turn; false when none could.
  bool pass();

  std::vector<std::unique_ptr<Processor>> all_;
  VcpuTurns turns_;
  u64 others_retired_ = 0;  // by all but the running one
  std::function<void(const EndedTurn&)> turn_listener_;
  unsigned ran_last_ = 0;  // not the running one, if it lost its turn as it stopped
};

}  // namespace reprise::machine
