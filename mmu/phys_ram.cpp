// Compiled without vector registers: refill.cpp calls it.
#include "mmu/phys_map.h"

namespace reprise::mmu {

u8* PhysMap::ram_host_elsewhere(u64 phys, u64 bytes) const {
  const Flat* low = flat_.data();
  const Flat* high = low + flat_.size();
  // The first that ends beyond phys.
  while (low != high) {
    const Flat* const middle = low + (high - low) / 2;
    if (middle->end <= phys)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == flat_.data() + flat_.size() || phys < low->phys || low->end - phys < bytes) return nullptr;
  const Region& region = *low->region;
  return region.kind == Kind::Ram ? region.host + (phys - region.phys) : nullptr;
}

}  // namespace reprise::mmu
