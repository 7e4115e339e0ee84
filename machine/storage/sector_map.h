// Which sectors of a disk lie in its overlay. Takes memory where the guest has written in small pieces only.
#pragma once

#include <bitset>
#include <memory>
#include <unordered_map>

#include "common/types.h"

namespace reprise::machine {

class SectorMap {
 public:
  /// Marks sectors [first, first + count).
  void set(u64 first, u64 count);
  /// How many sectors from `first` on, at most `limit` (above 0), are all in the map or all not; `in_map`
  /// says which.
  u64 run(u64 first, u64 limit, bool& in_map) const;

 private:
  static constexpr u64 kLeafSectors = 65536;  // 32 MiB of the disk
  struct Leaf {
    std::unique_ptr<std::bitset<kLeafSectors>> sectors;  // nullptr: all of them
  };
  // Looked up only, so its order does not matter.
  std::unordered_map<u64, Leaf> leaves_;
};

}  // namespace reprise::machine
