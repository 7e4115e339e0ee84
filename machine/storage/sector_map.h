// Which sectors of a disk lie in its overlay. Takes memory where the guest has written in small pieces only.
#pragma once

#include <bitset>
#include <map>
#include <memory>
#include <optional>

#include "common/types.h"

namespace reprise::machine {

class SectorMap {
 public:
  /// Marks sectors [first, first + count).
  void set(u64 first, u64 count);
  /// How many sectors from `first` on, at most `limit` (above 0), are all in the map or all not; `in_map`
  /// says which.
  u64 run(u64 first, u64 limit, bool& in_map) const;
  struct Run {
    u64 first = 0;
    u64 sectors = 0;
  };
  /// Sectors of the map at or behind `from` that follow each other: the first such, as far as one look goes.
  std::optional<Run> next(u64 from) const;
  /// How many there are.
  u64 sectors() const;

 private:
  static constexpr u64 kLeafSectors = 65536;  // 32 MiB of the disk
  struct Leaf {
    std::unique_ptr<std::bitset<kLeafSectors>> sectors;  // nullptr: all of them
  };
  std::map<u64, Leaf> leaves_;  // by first sector / kLeafSectors
};

}  // namespace reprise::machine
