// RegionTable: regions by the numbers that generated code calls them by.
#pragma once

#include <vector>

#include "jit/host/region.h"

namespace reprise::jit {

class RegionTable {
 public:
  /// A number that no region has.
  u32 free_number();
  /// `region` has its number from here on, which was free.
  void add(Region& region);
  /// Its number is free again. No code that names it runs.
  void remove(const Region& region);
  /// The first `count` numbers are given to nobody: code that is there already has them. Before any is given.
  void keep(u32 count);
  /// No number from here on was ever given or kept.
  u32 count() const { return static_cast<u32>(regions_.size()); }

  Region& at(u32 number) const { return *regions_[number]; }
  bool has(u32 number) const { return regions_[number] != nullptr; }

 private:
  std::vector<Region*> regions_;
  std::vector<u32> free_;
  u32 kept_ = 0;
};

}  // namespace reprise::jit
