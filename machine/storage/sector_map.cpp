#include "machine/storage/sector_map.h"

#include <algorithm>

namespace reprise::machine {

void SectorMap::set(u64 first, u64 count) {
  while (count != 0) {
    const u64 at = first % kLeafSectors;
    const u64 step = std::min(count, kLeafSectors - at);
    const auto [entry, is_new] = leaves_.try_emplace(first / kLeafSectors);
    Leaf& leaf = entry->second;
    if (step == kLeafSectors) {
      leaf.sectors.reset();
    } else if (is_new || leaf.sectors) {
      if (is_new) leaf.sectors = std::make_unique<std::bitset<kLeafSectors>>();
      for (u64 i = 0; i < step; ++i) leaf.sectors->set(at + i);
      if (leaf.sectors->all()) leaf.sectors.reset();
    }
    first += step;
    count -= step;
  }
}

u64 SectorMap::run(u64 first, u64 limit, bool& in_map) const {
  u64 length = 0;
  while (length < limit) {
    const u64 at = (first + length) % kLeafSectors;
    const u64 step = std::min(limit - length, kLeafSectors - at);
    const auto entry = leaves_.find((first + length) / kLeafSectors);
    const bool whole = entry == leaves_.end() || !entry->second.sectors;
    const auto state = [&](u64 i) {
      return whole ? entry != leaves_.end() : entry->second.sectors->test(at + i);
    };
    if (length == 0) in_map = state(0);
    if (whole) {
      if (state(0) != in_map) return length;
      length += step;
      continue;
    }
    for (u64 i = 0; i < step; ++i, ++length) {
      if (state(i) != in_map) return length;
    }
  }
  return length;
}

std::optional<SectorMap::Run> SectorMap::next(u64 from) const {
  for (auto entry = leaves_.lower_bound(from / kLeafSectors); entry != leaves_.end(); ++entry) {
    const u64 begin = std::max(from, entry->first * kLeafSectors);
    const u64 end = (entry->first + 1) * kLeafSectors;
    if (!entry->second.sectors) return Run{begin, end - begin};
    const std::bitset<kLeafSectors>& held = *entry->second.sectors;
    u64 first = begin;
    while (first < end && !held.test(first % kLeafSectors)) ++first;
    if (first == end) continue;
    u64 last = first;
    while (last < end && held.test(last % kLeafSectors)) ++last;
    return Run{first, last - first};
  }
  return std::nullopt;
}

u64 SectorMap::sectors() const {
  u64 count = 0;
  for (const auto& [index, leaf] : leaves_) count += leaf.sectors ? leaf.sectors->count() : kLeafSectors;
  return count;
}

}  // namespace reprise::machine
