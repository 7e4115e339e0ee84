// BeginsAt: something that begins at a position of a run.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>

#include "machine/machine.h"

namespace reprise::machine {

/// Thread: the one that runs the machine.
class BeginsAt final : private TurnObserver {
 public:
  /// Calls `begin` at `from`, or now if the run is there or behind it. `machine` outlives this.
  BeginsAt(Machine& machine, const Position& from, std::function<void()> begin)
      : machine_(machine), from_(from), begin_(std::move(begin)) {
    machine_.add_observer(*this);
    between_turns();
  }
  ~BeginsAt() override { machine_.remove_observer(*this); }
  BeginsAt(const BeginsAt&) = delete;
  BeginsAt& operator=(const BeginsAt&) = delete;

 private:
  u64 budget(u64 limit) override {
    between_turns();  // what was due may have led there
    const u64 now = machine_.retired();
    return begin_ && from_.retired > now ? std::min(limit, from_.retired - now) : limit;
  }
  void between_turns() override {
    if (!begin_ || machine_.position() < from_) return;
    const auto begin = std::exchange(begin_, nullptr);
    machine_.remove_observer(*this);
    begin();
  }

  Machine& machine_;
  const Position from_;
  std::function<void()> begin_;  // nullptr: it has begun
};

}  // namespace reprise::machine
