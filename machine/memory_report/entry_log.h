// EntryLog: what changes of page-table entries mean: pages swapped out and back in, huge pages made and split.
//
// A kernel often clears an entry first and stores the new one a moment later, so the entries that were cleared last are
// remembered. Swap entries are those of Linux on x86-64 (LeafEntry::is_linux_swap).
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "machine/memory_report/fault_log.h"
#include "machine/memory_report/kind_row.h"
#include "machine/memory_report/page_tables.h"
#include "machine/memory_report/sampled.h"
#include "machine/memory_report/windows.h"

namespace reprise::machine::memory_report {

enum class EntryEvent : u8 {
  SwappedOut,   // a page was there, a swap entry is
  SwappedIn,    // the other way
  SwapDropped,  // the swap entry went with its program, or was not wanted any more
  SwapShared,   // the swap entry is a copy, made by fork
  HugeMade,     // a huge page where nothing was
  HugeJoined,   // a huge page where small ones were
  HugeSplit,    // small pages where a huge one was
};
inline constexpr unsigned kEntryEvents = 7;
const KindRow& row_of(EntryEvent event);

struct EntryChanged {
  Moment at;
  u32 space = 0;
  u64 linear = 0;
  u64 before = 0;  // the last one that said something
  u64 after = 0;
  u64 away_ns = 0;  // SwappedIn, SwapDropped: since it was swapped out; 0: not known
};

class EntryLog {
 public:
  EntryLog();

  void changed(const EntryChange& change, Moment at, u32 window);
  void halve() {
    for (Series& one : series_) one.halve();
  }

  u64 count(EntryEvent event) const { return kept_[index(event)].count(); }
  const Series& series(EntryEvent event) const { return series_[index(event)]; }
  const std::vector<EntryChanged>& sample(EntryEvent event) const { return kept_[index(event)].kept(); }
  /// How many pages that came back were away for [2^i, 2^(i+1)) ns.
  const std::array<u64, FaultLog::kDurations>& away() const { return away_; }
  /// Pages that are swapped out now, as far as it was seen.
  u64 out_now() const { return out_.size(); }

 private:
  static constexpr std::size_t kMaxOut = std::size_t{1} << 20;
  static constexpr std::size_t kCleared = 64;
  static constexpr std::size_t index(EntryEvent event) { return static_cast<std::size_t>(event); }
  struct Cleared {
    u64 phys = ~u64{0};
    u64 before = 0;
  };
  void add(EntryEvent event, const EntryChange& change, u64 before, Moment at, u32 window, u64 away_ns = 0);
  u64 take_cleared(u64 phys);

  std::vector<Series> series_;
  std::array<Sampled<EntryChanged>, kEntryEvents> kept_;
  std::array<u64, FaultLog::kDurations> away_{};
  std::unordered_map<u64, u64> out_;  // by address of the entry: since when
  std::array<Cleared, kCleared> cleared_;
  std::size_t next_cleared_ = 0;
};

}  // namespace reprise::machine::memory_report
