// WorkingSets: how many pages each address space touched in each window of guest time, at every width of windows at once.
//
// For each page of each space only the last window is kept in which it was touched. A touch in window w of a page last
// touched in v is the first one in the window of width 2^k exactly if (v >> k) != (w >> k): so the counts of all widths are
// exact, and windows can be joined later without knowing which pages they share.
#pragma once

#include <functional>
#include <vector>

#include "common/types.h"
#include "machine/memory_report/windows.h"

namespace reprise::machine::memory_report {

class WorkingSets {
 public:
  /// Spaces are numbers below this.
  static constexpr u32 kMaxSpaces = 1u << 19;
  /// Slots of the table: pages that are remembered take up to 12 bytes each in twice as many.
  explicit WorkingSets(u64 max_slots = u64{1} << 23);

  struct Count {
    u32 window;
    u32 pages;
  };

  /// The page of `linear` was touched by `space` in window `finest` of the finest width; windows never go back.
  void touch(u32 space, u64 linear, u32 finest);
  /// By window, those without any left out. Level: of WindowScale. Not below the one that forget_below() was told.
  const std::vector<Count>& counts(u32 space, unsigned level) const;
  /// Narrower windows are not asked for any more.
  void forget_below(unsigned level);
  /// Tells of spaces whose pages are not touched any more.
  void set_ended(std::function<bool(u32 space)> ended) { ended_ = std::move(ended); }
  /// Every count is the true one. Otherwise pages were forgotten, and counts of windows wider than the ones in force then
  /// may have them twice.
  bool exact() const { return exact_; }

 private:
  static constexpr unsigned kPageBits = 45;
  static u64 key_of(u32 space, u64 linear) {
    return (u64{space} << kPageBits | (linear >> kPageShift & ((u64{1} << kPageBits) - 1))) + 1;
  }
  u64 slot_of(u64 key) const { return (key * 0x9e37'79b9'7f4a'7c15u) >> shift_; }
  void grow();
  void rebuild(unsigned bits, u32 forget_before);

  std::vector<u64> keys_;  // 0: free
  std::vector<u32> last_;  // like keys_
  unsigned shift_ = 0;     // 64 - log2(slots)
  u64 used_ = 0;
  const u64 max_slots_;
  u32 now_ = 0;
  unsigned lowest_ = 0;
  bool exact_ = true;
  std::function<bool(u32)> ended_ = [](u32) { return false; };
  std::vector<std::vector<std::vector<Count>>> counts_;  // by space, then level
};

}  // namespace reprise::machine::memory_report
