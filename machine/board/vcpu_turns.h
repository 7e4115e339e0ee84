// VcpuTurns: which of several processors runs, and until when. One host thread runs all of them in turns; position is
// the number of instructions that all of them have retired, and a turn ends at a position.
//
// State of the machine: the guest sees who came first.
#pragma once

#include <concepts>

#include "common/archive.h"
#include "common/types.h"

namespace reprise::machine {

class VcpuTurns {
 public:
  enum class Policy : u8 {
    RoundRobin,  // in the order of the processors, for turns of drawn lengths
  };
  static constexpr u64 kNever = ~u64{0};
  /// Instructions of a turn.
  static constexpr u64 kShortestTurn = 1'000;
  static constexpr u64 kLongestTurn = 20'000;

  /// The first of `processors`, at least 1, begins. All random numbers come from `seed`.
  VcpuTurns(unsigned processors, Policy policy, u64 seed);

  unsigned current() const { return current_; }
  /// How many instructions are left of its turn at `position`; kNever when there is nobody else.
  u64 left(u64 position) const;

  /// The next processor that `wants` (index) to run, the current one last, gets a turn from `position` on. False when
  /// none does: nothing changes.
  template <std::predicate<unsigned> Wants>
  bool pass(u64 position, Wants wants) {
    for (unsigned i = 1; i <= processors_; ++i) {
      const unsigned next = (current_ + i) % processors_;
      if (!wants(next)) continue;
      begin(next, position);
      return true;
    }
    return false;
  }

  void serialize(Archive& archive);

 private:
  void begin(unsigned processor, u64 position);
  u64 draw();

  const unsigned processors_;
  Policy policy_;
  u64 random_;
  unsigned current_ = 0;
  u64 end_ = 0;  // of the turn: a position
};

}  // namespace reprise::machine
