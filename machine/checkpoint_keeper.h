// CheckpointKeeper: keeps checkpoints of a recorded run as files beside its recording, while it runs or is replayed:
// machine/history/kept_checkpoints.h. docs/recording.md.
#pragma once

#include <functional>
#include <string>

#include "machine/machine.h"

namespace reprise::machine {

/// Thread: the one that runs the machine.
class CheckpointKeeper final : private TurnObserver {
 public:
  struct Wanted {
    std::string recording;  // that `machine` follows, or writes
    std::string program;    // that this is, and its version
    u64 every_retired = 0;  // instructions from one to the next, not 0
  };
  /// `say` hears once, in a phrase, why no more can be kept. `machine` outlives this.
  CheckpointKeeper(Machine& machine, Wanted wanted, std::function<void(const std::string&)> say);
  ~CheckpointKeeper() override { machine_.remove_observer(*this); }
  CheckpointKeeper(const CheckpointKeeper&) = delete;
  CheckpointKeeper& operator=(const CheckpointKeeper&) = delete;

  u64 kept() const { return kept_; }

 private:
  u64 budget(u64 limit) override;
  void between_turns() override;
  /// The run is still what the recording says, or will.
  bool is_recorded() const;
  Result<Done> keep();

  Machine& machine_;
  const Wanted wanted_;
  const std::function<void(const std::string&)> say_;
  u64 next_retired_;
  u64 kept_ = 0;
  bool keeps_ = true;
};

}  // namespace reprise::machine
