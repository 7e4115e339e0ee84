// Engines: what executes the board's processors. One engine runs all of them, so that code is translated once, whoever
// comes by, and a store to code on one is seen by all. In lockstep each has a comparison of its own behind it.
#pragma once

#include <memory>
#include <vector>

#include "machine/board/config.h"
#include "machine/lockstep/lockstep_engine.h"

namespace reprise::machine {

/// Thread: the one that runs the machine.
class Engines {
 public:
  Engines(const MachineConfig& config, mmu::CodePages& code_pages, MachineControl& control);

  /// What has to stand between a new processor and `bus` and `interrupts`; nullptr: nothing.
  std::unique_ptr<Tap> make_tap(cpu::CpuBus& bus, InterruptSource& interrupts);
  /// The engine of `cpu`, which was built on `tap`. Both outlive this.
  cpu::Engine& plug(cpu::Cpu& cpu, Tap* tap);

  /// Processors and memory are others than before.
  void state_replaced();
  /// They are those of an earlier instant, and what was translated from pages that differ is forgotten already.
  void state_repeated();
  const cpu::BlockCache& cache() const { return tested().cache(); }
  /// What they did, as lines of text.
  std::string stats() const;
  /// Why the run must end, the first line one sentence; empty while all is well.
  std::string failure() const { return room_ ? room_->report : engine_->failure(); }

 private:
  const cpu::Engine& tested() const { return room_ ? *room_->tested : *engine_; }

  std::unique_ptr<cpu::Engine> engine_;  // of all processors; nullptr in lockstep
  std::unique_ptr<LockstepRoom> room_;
  std::vector<std::unique_ptr<LockstepEngine>> pairs_;
};

}  // namespace reprise::machine
