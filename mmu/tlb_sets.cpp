#include "mmu/tlb_sets.h"

namespace reprise::mmu {

TlbSets::Entry TlbSets::insert(u64 linear, Entry entry, u64 one, u64 other) {
  Set& set = sets_[index(linear)];
  const auto replaced = [&](unsigned way) { return set.tags[way] == one || set.tags[way] == other; };
  unsigned victim = 0;
  while (victim < kWays - 1 && !replaced(victim)) ++victim;
  for (unsigned way = victim + 1; way < kWays; ++way)
    if (replaced(way)) set.tags[way] = set.data[way] = 0;
  const Entry out = replaced(victim) ? Entry{} : Entry{set.tags[victim], set.data[victim]};
  for (unsigned way = victim; way > 0; --way) {
    set.tags[way] = set.tags[way - 1];
    set.data[way] = set.data[way - 1];
  }
  set.tags[0] = entry.tag;
  set.data[0] = entry.data;
  return out;
}

void TlbSets::serialize(Archive& archive) {
  u64 sets = sets_.size();
  archive.value(sets);
  if (sets != sets_.size()) return archive.fail();
  static_assert(sizeof(Set) == 2 * kWays * sizeof(u64) && std::endian::native == std::endian::little);
  archive.raw(sets_.data(), sets_.size() * sizeof(Set));
}

}  // namespace reprise::mmu
