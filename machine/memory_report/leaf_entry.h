// The entry of the page tables at which a walk ends, as it lies in RAM: the page's, or the first one that is not present.
#pragma once

#include <string>

#include "common/types.h"
#include "mmu/page_walk.h"
#include "mmu/phys_map.h"

namespace reprise::machine::memory_report {

struct LeafEntry {
  unsigned level = 0;  // 1: PTE, 2: PDE, ...; 0: there is no table to look in
  u64 phys = 0;        // where it lies
  u64 raw = 0;
  u64 page_bytes = kPageBytes;  // that an entry of this level translates
  bool long_mode = true;        // its table is one of 4-level or 5-level paging
  bool present() const { return (raw & mmu::kPteP) != 0; }
  /// A PTE that is not present and keeps what Linux (x86-64) puts there for a page that was swapped out: its area in bits
  /// 63:59, of which the highest values are other things, and where in it.
  static constexpr bool is_linux_swap(u64 raw) {
    constexpr u64 kProtNone = mmu::kPteG;
    constexpr u64 kAreas = 23;
    return raw != 0 && (raw & (mmu::kPteP | kProtNone)) == 0 && raw >> 59 < kAreas;
  }
};

/// What an entry that is not present says to a kernel, as far as it can be told: a phrase.
std::string absent_entry_text(u64 raw, bool is_pte);

/// Paging is on; else an entry of level 0. PAE's PDPTEs are those in the registers.
LeafEntry find_leaf(const mmu::PagingContext& context, const mmu::PhysMap& map, u64 linear);

}  // namespace reprise::machine::memory_report
