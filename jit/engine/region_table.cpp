#include "jit/engine/region_table.h"

#include "common/check.h"

namespace reprise::jit {

u32 RegionTable::free_number() {
  if (!free_.empty()) return free_.back();
  return count();
}

void RegionTable::add(Region& region) {
  if (!free_.empty() && free_.back() == region.number)
    free_.pop_back();
  else if (region.number == count())
    regions_.push_back(nullptr);
  CHECK(regions_[region.number] == nullptr);
  regions_[region.number] = &region;
}

void RegionTable::remove(const Region& region) {
  regions_[region.number] = nullptr;
  if (region.number >= kept_) free_.push_back(region.number);
}

void RegionTable::keep(u32 count) {
  CHECK(regions_.empty());
  kept_ = count;
  regions_.resize(count);
}

}  // namespace reprise::jit
