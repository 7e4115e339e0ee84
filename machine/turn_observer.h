// TurnObserver: looks at a machine between its turns. It changes nothing: a turn may end anywhere.
#pragma once

#include <algorithm>
#include <vector>

#include "common/types.h"

namespace reprise::machine {

/// Thread: the one that runs the machine.
class TurnObserver {
 public:
  virtual ~TurnObserver() = default;
  /// What is due now is done, and they are about to run. How many instructions may retire before it wants to look: at
  /// least 1, at most `limit`.
  virtual u64 budget(u64 limit) = 0;
  /// The processors stand still. What is due now is done next, then they run, or idle time passes.
  virtual void between_turns() = 0;
};

/// Those of one machine. Each may be added and removed while they look.
class TurnObservers {
 public:
  void add(TurnObserver& observer) { all_.push_back(&observer); }
  void remove(TurnObserver& observer) { std::ranges::replace(all_, &observer, nullptr); }

  void between_turns() {
    for (std::size_t i = 0; i < all_.size(); ++i)
      if (all_[i] != nullptr) all_[i]->between_turns();
    std::erase(all_, nullptr);
  }
  u64 budget(u64 limit) {
    for (std::size_t i = 0; i < all_.size(); ++i)
      if (all_[i] != nullptr) limit = all_[i]->budget(limit);
    return limit;
  }

 private:
  std::vector<TurnObserver*> all_;  // nullptr: removed
};

}  // namespace reprise::machine
