#include "machine/board/vcpu_turns.h"

#include "machine/plug/seeds.h"

namespace reprise::machine {

VcpuTurns::VcpuTurns(unsigned processors, Policy policy, u64 seed)
    : processors_(processors), policy_(policy), random_(seed) {
  begin(0, 0);
}

u64 VcpuTurns::left(u64 position) const {
  if (processors_ == 1) return kNever;
  return position < end_ ? end_ - position : 0;
}

void VcpuTurns::begin(unsigned processor, u64 position) {
  current_ = processor;
  if (processors_ != 1) end_ = position + kShortestTurn + draw() % (kLongestTurn - kShortestTurn + 1);
}

u64 VcpuTurns::draw() { return derive_seed(random_++, 0); }

void VcpuTurns::serialize(Archive& archive) {
  archive.tag("turns");
  archive.at_most(policy_, Policy::RoundRobin);
  archive.value(random_);
  archive.at_most(current_, processors_ - 1);
  archive.value(end_);
}

}  // namespace reprise::machine
