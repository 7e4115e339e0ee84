#include "machine/memory_report/working_sets.h"

#include <bit>
#include <utility>

namespace reprise::machine::memory_report {
namespace {

constexpr unsigned kFirstBits = 16;

}  // namespace

WorkingSets::WorkingSets(u64 max_slots) : max_slots_(max_slots) { rebuild(kFirstBits, 0); }

void WorkingSets::touch(u32 space, u64 linear, u32 finest) {
  now_ = finest;
  const u64 key = key_of(space, linear);
  const u64 mask = keys_.size() - 1;
  u64 slot = slot_of(key);
  while (keys_[slot] != key && keys_[slot] != 0) slot = (slot + 1) & mask;
  // Levels at which this is the first touch: those below `levels`.
  unsigned levels = WindowScale::kLevels;
  if (keys_[slot] != 0) {
    levels = static_cast<unsigned>(std::bit_width(last_[slot] ^ finest));
    last_[slot] = finest;
  } else {
    keys_[slot] = key;
    last_[slot] = finest;
    if (++used_ > keys_.size() / 2) grow();
  }
  if (levels <= lowest_) return;
  if (space >= counts_.size()) counts_.resize(space + 1);
  auto& by_level = counts_[space];
  if (by_level.empty()) by_level.resize(WindowScale::kLevels);
  for (unsigned level = lowest_; level < levels; ++level) {
    std::vector<Count>& counts = by_level[level];
    const u32 window = finest >> level;
    if (counts.empty() || counts.back().window != window) counts.push_back({window, 0});
    ++counts.back().pages;
  }
}

const std::vector<WorkingSets::Count>& WorkingSets::counts(u32 space, unsigned level) const {
  static const std::vector<Count> kNone;
  return space < counts_.size() && !counts_[space].empty() ? counts_[space][level] : kNone;
}

void WorkingSets::forget_below(unsigned level) {
  lowest_ = level;
  for (auto& by_level : counts_)
    for (unsigned below = 0; below < level && below < by_level.size(); ++below)
      std::vector<Count>().swap(by_level[below]);
}

void WorkingSets::grow() {
  const unsigned bits = static_cast<unsigned>(std::bit_width(keys_.size() - 1));
  if (keys_.size() < max_slots_) return rebuild(bits + 1, 0);
  rebuild(bits, 0);  // spaces that have ended go, which costs no exactness
  if (used_ <= keys_.size() / 4) return;
  exact_ = false;
  rebuild(bits, now_ >> lowest_ << lowest_);
  // One window alone may touch more than there is room for.
  if (used_ > keys_.size() / 4) rebuild(bits, ~u32{0});
}

void WorkingSets::rebuild(unsigned bits, u32 forget_before) {
  const std::vector<u64> keys = std::exchange(keys_, std::vector<u64>(u64{1} << bits));
  const std::vector<u32> last = std::exchange(last_, std::vector<u32>(u64{1} << bits));
  shift_ = 64 - bits;
  used_ = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == 0 || last[i] < forget_before) continue;
    if (ended_(static_cast<u32>((keys[i] - 1) >> kPageBits))) continue;
    u64 slot = slot_of(keys[i]);
    while (keys_[slot] != 0) slot = (slot + 1) & (keys_.size() - 1);
    keys_[slot] = keys[i];
    last_[slot] = last[i];
    ++used_;
  }
}

}  // namespace reprise::machine::memory_report
