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
  priorities_.resize(processors);
  draw_priorities();
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
    pausing_ &= wanting & ~(u64{1} << current_);
    const u64 length = schedule_.shortest + draw() % (schedule_.longest - schedule_.shortest + 1);
    end_ = position + (pausing_ == 0 ? length : std::max<u64>(1, length / kShortened));
    return true;
  }
  if (since_ != kNever) ran_[current_] += position - since_;
  bool changes = false;
  for (; !changes_.empty() && changes_.back() <= position; changes_.pop_back()) changes = true;
  if (changes || ran_[current_] >= kPctBound) fall(current_);
  // It may have been drawn to be the most urgent again, which would be no change.
  if (changes) std::swap(priorities_[current_], *std::ranges::min_element(priorities_));
  current_ = most_urgent(wanting);
  const bool others = (wanting & ~(u64{1} << current_)) != 0;
  since_ = others ? position : kNever;
  end_ = others ? position + kPctBound - ran_[current_] : kNever;
  if (!changes_.empty()) end_ = std::min(end_, changes_.back());
  return true;
}

void VcpuTurns::pauses() {
  if (!by_urgency()) {
    pausing_ |= u64{1} << current_;
    return;
  }
  fall(current_);
  since_ = kNever;
}

/// Once all have fallen, who is urgent would follow from the guest alone.
void VcpuTurns::fall(unsigned processor) {
  priorities_[processor] = --lowest_;
  ran_[processor] = 0;
  fallen_ |= u64{1} << processor;
  if (std::popcount(fallen_) == static_cast<int>(processors_)) draw_priorities();
}

void VcpuTurns::draw_priorities() {
  for (unsigned i = 0; i < processors_; ++i) priorities_[i] = i;
  for (unsigned i = processors_; i > 1; --i) std::swap(priorities_[i - 1], priorities_[draw() % i]);
  lowest_ = 0;
  fallen_ = 0;
}

u64 VcpuTurns::draw() { return derive_seed(random_++, 0); }

void VcpuTurns::serialize(Archive& archive) {
  archive.tag("turns");
  archive.value(random_);
  archive.at_most(current_, processors_ - 1);
  archive.value(end_);
  const u64 all = ~u64{0} >> (64 - processors_);
  archive.at_most(pausing_, all);
  archive.at_most(fallen_, all);
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
