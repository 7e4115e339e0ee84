// Pages that a debugger wants to be asked about: no first-level tag is left for them, so accesses take the slow path, and
// AccessObserver::debugged_access() hears of them. No state of the guest, which cannot tell.
#pragma once

#include <algorithm>
#include <vector>

#include "common/bits.h"
#include "common/types.h"

namespace reprise::mmu {

/// A set of pages. Touches no vector registers while it is looked at.
class PageSet {
 public:
  void clear() { pages_.clear(); }
  bool empty() const { return pages_.empty(); }
  /// Adds the pages of [address, address + bytes); `bytes` is at least 1. It may end at the top of the address space.
  void add(u64 address, u64 bytes) {
    const u64 last = (address + bytes - 1) & kPageMask;
    for (u64 page = address & kPageMask;; page += kPageBytes) {
      const auto place = std::ranges::lower_bound(pages_, page);
      if (place == pages_.end() || *place != page) pages_.insert(place, page);
      if (page == last) return;
    }
  }
  bool contains(u64 address) const { return touches(address, 1); }
  /// Whether one of the pages of [address, address + bytes), which does not wrap around, is among them.
  bool touches(u64 address, u64 bytes) const {
    const u64 first = address & kPageMask;
    const u64* low = pages_.data();
    const u64* high = low + pages_.size();
    // The first page that is not below.
    while (low != high) {
      const u64* const middle = low + (high - low) / 2;
      if (*middle < first)
        low = middle + 1;
      else
        high = middle;
    }
    return low != pages_.data() + pages_.size() && *low - first <= ((address & ~kPageMask) + bytes - 1);
  }

 private:
  std::vector<u64> pages_;  // ascending
};

struct DebugPages {
  PageSet code;                        // linear: fetches
  PageSet linear_reads, phys_reads;    // loads
  PageSet linear_writes, phys_writes;  // stores
};

}  // namespace reprise::mmu
