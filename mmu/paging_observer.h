// PagingObserver: is told what the MMU of one processor does with addresses. For reports about memory.
//
// It changes nothing that the guest could see: only first-level tags, which may go at any time, depend on it. While there
// is one, generated code leaves every first-level miss to the slow path, and pages that are watched for stores have no
// write tags. So after Mmu::drop_all_tags() each page that is accessed is told of at least once, exactly.
#pragma once

#include <vector>

#include "common/types.h"
#include "mmu/page_walk.h"
#include "mmu/tlb.h"

namespace reprise::mmu {

/// Pages of physical memory.
class PhysPages {
 public:
  bool contains(u64 phys) const {
    const u64 page = phys >> kPageShift;
    return page / 64 < bits_.size() && (bits_[page / 64] >> (page % 64) & 1) != 0;
  }
  void add(u64 phys) {
    const u64 page = phys >> kPageShift;
    if (page / 64 >= bits_.size()) bits_.resize(page / 64 + 1);
    bits_[page / 64] |= u64{1} << (page % 64);
  }
  void remove(u64 phys) {
    const u64 page = phys >> kPageShift;
    if (page / 64 < bits_.size()) bits_[page / 64] &= ~(u64{1} << (page % 64));
  }

 private:
  std::vector<u64> bits_;
};

/// All calls come in the middle of an instruction, or of what comes between two; they may look at memory, registers and
/// clocks, and call Mmu::drop_write_tags(). Thread: the one that runs the machine.
class PagingObserver {
 public:
  virtual ~PagingObserver() = default;
  /// An access of the page of `linear` was translated, and no first-level tag was there.
  virtual void touched(u64 linear, Access access, View view, bool global) = 0;
  /// The tables were walked for an access, and allow it. `held`: the TLB had a translation of the address, which did not
  /// allow it; or D had to be set.
  virtual void walked(u64 linear, Access access, const Translation& translation, bool held) = 0;
  /// A page fault is about to be delivered. Not one that comes to nothing: a probe's.
  virtual void faulted(u64 linear, u32 error_code) = 0;
  /// CR3 was written, or paging begins or ends.
  virtual void space_changed() = 0;
  /// An aligned word of a page of RAM that is watched was stored to by an instruction, and is another than before. Not told
  /// of what the page walker (A, D) and devices store.
  virtual void word_stored(u64 phys, u64 before, u64 after) = 0;
};

}  // namespace reprise::mmu
