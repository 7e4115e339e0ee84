// TurnObserver: looks at a machine between its turns. It changes nothing: a turn may end anywhere.
#pragma once

#include "common/types.h"

namespace reprise::machine {

/// Thread: the one that runs the machine.
class TurnObserver {
 public:
  virtual ~TurnObserver() = default;
  /// How many instructions may retire before it wants to look: at least 1, at most `limit`.
  virtual u64 budget(u64 limit) = 0;
  /// The processors stand still. What is due now is done next, then they run, or idle time passes.
  virtual void between_turns() = 0;
};

}  // namespace reprise::machine
