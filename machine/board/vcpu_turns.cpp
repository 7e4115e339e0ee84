#include "machine/board/vcpu_turns.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "common/hash.h"
#include "machine/plug/seeds.h"

namespace reprise::machine {
namespace {

u64 digest_of(const Schedule& schedule) {
  Archive archive;
  Schedule all = schedule;
  archive.value(all.policy);
  for (u64* number : {&all.seed, &all.shortest, &all.longest, &all.depth, &all.length})
    archive.value(*number);
  for (Handover& handover : all.handovers) {
    archive.value(handover.from);
    archive.value(handover.after);
    archive.value(handover.to);
  }
  return hash64(archive.bytes());
}

}  // namespace

VcpuTurns::VcpuTurns(unsigned processors, const Schedule& schedule)
    : processors_(processors), schedule_(schedule), random_(derive_seed(schedule.seed, 0)) {
  start();
}

void VcpuTurns::start() {
  current_ = 0;
  if (processors_ == 1) return;
  switch (schedule_.policy) {
    case Schedule::Policy::RoundRobin: break;
    case Schedule::Policy::Pct:
      ran_.assign(processors_, 0);
      priorities_.resize(processors_);
      draw_priorities();
      changes_.clear();
      for (u64 i = 1; i < schedule_.depth; ++i) changes_.push_back(draw() % schedule_.length);
      std::ranges::sort(changes_, std::greater());
      break;
    case Schedule::Policy::List:
      own_.assign(processors_, 0);
      listed_.resize(processors_);
      for (unsigned i = 0; i < processors_; ++i)
        listed_[i] = static_cast<u64>(std::ranges::lower_bound(schedule_.handovers, i, {}, &Handover::from) -
                                      schedule_.handovers.begin());
      break;
  }
  pass(0, 1);
}

u64 VcpuTurns::left(u64 position) const {
  if (processors_ == 1) return kNever;
  return position < end_ ? end_ - position : 0;
}

unsigned VcpuTurns::next_in_turn(unsigned current, u64 wanting) {
  const u64 behind = current == 63 ? 0 : wanting >> (current + 1) << (current + 1);
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
    current_ = next_in_turn(current_, wanting);
    pausing_ &= wanting & ~(u64{1} << current_);
    const u64 length = schedule_.shortest + draw() % (schedule_.longest - schedule_.shortest + 1);
    end_ = position + (pausing_ == 0 ? length : std::max<u64>(1, length / kShortened));
    return true;
  }
  if (schedule_.policy == Schedule::Policy::List) {
    current_ = next_by_list(position, wanting);
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

bool VcpuTurns::has_handover(unsigned processor) const {
  const u64 next = listed_[processor];
  return next < schedule_.handovers.size() && schedule_.handovers[next].from == processor;
}

unsigned VcpuTurns::next_by_list(u64 position, u64 wanting) {
  own_[current_] += position - began_;
  began_ = position;
  unsigned next = next_in_turn(current_, wanting);
  for (; has_handover(current_); ++listed_[current_]) {
    const Handover& handover = schedule_.handovers[listed_[current_]];
    if (handover.after > own_[current_]) break;
    if ((wanting >> handover.to & 1) != 0) next = handover.to;
  }
  const u64 until_handover =
      has_handover(next) ? schedule_.handovers[listed_[next]].after - own_[next] : kNever;
  end_ = position + std::min(kListTurn, until_handover);
  return next;
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

void VcpuTurns::begin(u64 position) {
  begins_anew_ = false;
  const unsigned current = current_;
  random_ = derive_seed(schedule_.seed, 0);
  start();
  current_ = current;
  for (u64& change : changes_) change += position;
  began_ = position;
  // Whoever ran gives its turn away, to whom the schedule says.
  end_ = position;
}

void VcpuTurns::serialize(Archive& archive) {
  archive.tag("turns");
  archive.at_most(current_, processors_ - 1);
  const u64 identity = digest_of(schedule_);
  u64 saved = identity;
  archive.value(saved);
  Archive own;
  if (!archive.loading()) serialize_own(own);
  std::vector<u8> bytes(own.bytes().begin(), own.bytes().end());
  constexpr u64 kMaxBytes = 1 << 20;
  archive.value(bytes, kMaxBytes);
  if (!archive.loading()) return;
  begins_anew_ = saved != identity;
  if (begins_anew_) return;
  Archive from(bytes);
  serialize_own(from);
  if (!from.ok() || !from.at_end()) archive.fail();
}

void VcpuTurns::serialize_own(Archive& archive) {
  archive.value(random_);
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
  archive.value(began_);
  for (u64& own : own_) archive.value(own);
  for (unsigned i = 0; i < listed_.size(); ++i) {
    archive.at_most(listed_[i], schedule_.handovers.size());
    // What is behind it has yet to come.
    while (has_handover(i) && schedule_.handovers[listed_[i]].after < own_[i]) ++listed_[i];
  }
}

}  // namespace reprise::machine
