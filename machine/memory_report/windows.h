// Guest time in windows of equal width, counted from where the report begins. There are never more than kMaxWindows: when
// time goes on beyond them, pairs become one.
#pragma once

#include <algorithm>
#include <vector>

#include "common/types.h"

namespace reprise::machine::memory_report {

class WindowScale {
 public:
  static constexpr u64 kFinestNs = 1'000'000;
  static constexpr u32 kMaxWindows = 1024;
  /// Widths are kFinestNs << level. The widest is longer than any run.
  static constexpr unsigned kLevels = 32;

  explicit WindowScale(u64 begin_ns) : begin_ns_(begin_ns) {}

  u64 begin_ns() const { return begin_ns_; }
  unsigned level() const { return level_; }
  u64 width_ns() const { return kFinestNs << level_; }
  /// The window of now, and when it is over.
  u32 current() const { return finest_ >> level_; }
  u64 end_ns() const { return begin_ns_ + (u64{current()} + 1) * width_ns(); }
  /// The same as a number of windows of the finest width: `finest() >> level` is one of any other.
  u32 finest() const { return finest_; }

  /// Now is `ns`. Returns by how many levels the windows have become wider.
  unsigned move_to(u64 ns) {
    finest_ = static_cast<u32>(std::min<u64>((ns - begin_ns_) / kFinestNs, ~u32{0}));
    unsigned wider = 0;
    for (; current() >= kMaxWindows; ++wider) ++level_;
    return wider;
  }

 private:
  u64 begin_ns_;
  unsigned level_ = 0;
  u32 finest_ = 0;
};

/// What the value of two windows that become one is.
enum class Joined : u8 { Sum, Last };

/// One number for each window, up to some window; 0, or for Last the one before, behind it.
class Series {
 public:
  explicit Series(Joined joined) : joined_(joined) {}
  void add(u32 window, u64 count) {
    reach(window);
    values_[window] += count;
  }
  void set(u32 window, u64 value) {
    reach(window);
    values_[window] = value;
  }
  void halve() {
    const std::size_t count = values_.size();
    for (std::size_t i = 0; i < count; i += 2) {
      const u64 first = values_[i];
      const u64 second = i + 1 < count ? values_[i + 1] : joined_ == Joined::Sum ? 0 : first;
      values_[i / 2] = joined_ == Joined::Sum ? first + second : second;
    }
    values_.resize((count + 1) / 2);
  }
  const std::vector<u64>& values() const { return values_; }
  Joined joined() const { return joined_; }

 private:
  void reach(u32 window) {
    if (window < values_.size()) return;
    values_.resize(window + 1, joined_ == Joined::Last && !values_.empty() ? values_.back() : 0);
  }
  Joined joined_;
  std::vector<u64> values_;
};

}  // namespace reprise::machine::memory_report
