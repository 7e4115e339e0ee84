#include "machine/board/vcpu_turns.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "machine/plug/seeds.h"

namespace reprise::machine {

VcpuTurns::VcpuTurns(unsigned processors, const Schedule& schedule)
    : processors_(processors), schedule_(schedule), random_(derive_seed(schedule.seed, 0)) {
  if (processors == 1) return;
  if (schedule.policy == Schedule::Policy::RoundRobin) {
    pass(0, 1);
    return;
  }
  ran_.resize(processors);
  for (unsigned i = 0; i < processors; ++i) priorities_.push_back(i);
  for (unsigned i = processors; i > 1; --i) std::swap(priorities_[i - 1], priorities_[draw() % i]);
  for (u64 i = 1; i < schedule.depth; ++i) changes_.push_back(draw() % schedule.length);
  std::ranges::sort(changes_, std::greater());
  pass(0, 1);
}

u64 VcpuTurns::left(u64 position) const {
  if (processors_ == 1) return kNever;
  return position < end_ ? end_ - position : 0;
}

unsigned VcpuTurns::next_in_turn(u64 wanting) const {
  const u64 behind = current_ == 63 ? 0 : wanting >> (current_ + 1) << (current_ + 1);
  return static_cast<unsigned>(std::countr_zero(behind != 0 ? behind : wanting));
}

unsigned VcpuTurns::most_urgent(u64 wanting) const {
  unsigned best = processors_;
  for (unsigned i = 0; i < processors_; ++i) {
    if ((wanting >> i & 1) != 0 && (best == processors_ || priorities_[i] > priorities_[best])) best = i;
  }
  return best;
}

bool VcpuTurns::pass(u64 position, u64 wanting) {
  if (wanting == 0) return false;
  if (processors_ == 1) return true;
  if (schedule_.policy == Schedule::Policy::RoundRobin) {
    current_ = next_in_turn(wanting);
    end_ = position + schedule_.shortest + draw() % (schedule_.longest - schedule_.shortest + 1);
    return true;
  }
  if (since_ != kNever) ran_[current_] += position - since_;
  bool falls = ran_[current_] >= kPctBound;
  for (; !changes_.empty() && changes_.back() <= position; changes_.pop_back()) falls = true;
  if (falls) fall(current_);
  current_ = most_urgent(wanting);
  const bool others = (wanting & ~(u64{1} << current_)) != 0;
  since_ = others ? position : kNever;
  end_ = others ? position + kPctBound - ran_[current_] : kNever;
  if (!changes_.empty()) end_ = std::min(end_, changes_.back());
  return true;
}

void VcpuTurns::pauses() {
  if (!by_urgency()) return;
  fall(current_);
  since_ = kNever;
}

u64 VcpuTurns::draw() { return derive_seed(random_++, 0); }

void VcpuTurns::serialize(Archive& archive) {
  archive.tag("turns");
  archive.value(random_);
  archive.at_most(current_, processors_ - 1);
  archive.value(end_);
  archive.value(since_);
  archive.value(lowest_);
  const std::size_t processors = priorities_.size();
  archive.value(priorities_, processors);
  if (priorities_.size() != processors) {
    priorities_.resize(processors);
    archive.fail();
  }
  if (by_urgency()) archive.value(ran_, processors);
  if (ran_.size() != processors || std::ranges::any_of(ran_, [](u64 ran) { return ran >= kPctBound; })) {
    ran_.assign(processors, 0);
    archive.fail();
  }
  archive.value(changes_, schedule_.depth);
  constexpr i64 kImpossible = i64{-1} << 62;
  if (lowest_ < kImpossible || lowest_ > 0) {
    lowest_ = 0;
    archive.fail();
  }
}

}  // namespace reprise::machine
