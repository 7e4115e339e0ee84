// RamHash: a digest of guest RAM that costs what was written since the last one.
//
//     digest = sum over pages of hash64(page, seed = page number + 1), where an all-zero page counts 0
//
// The sum lets one page's part be replaced; a page never written is known to be zero. The digest depends on
// contents alone, not on which pages were touched when.
#pragma once

#include <vector>

#include "mmu/ram.h"

namespace reprise::machine {

class RamHash {
 public:
  explicit RamHash(mmu::Ram& ram) : ram_(ram), page_hash_(ram.bytes() / kPageBytes) {}

  /// The digest of RAM as it is. Ends an epoch.
  u64 update();

  /// Pages hashed by all of them: what digests cost.
  u64 pages_hashed() const { return pages_hashed_; }

 private:
  mmu::Ram& ram_;
  std::vector<u64> page_hash_;
  u64 digest_ = 0;
  u64 hashed_epoch_ = 0;  // up to the end of this one
  u64 pages_hashed_ = 0;
};

}  // namespace reprise::machine
