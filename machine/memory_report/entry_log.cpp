#include "machine/memory_report/entry_log.h"

#include <algorithm>
#include <bit>

#include "machine/memory_report/spaces.h"

namespace reprise::machine::memory_report {
namespace {

constexpr KindRow kRows[kEntryEvents] = {
    {"swapped out", "a page left memory; the entry says where in the swap area it is"},
    {"swapped in", "it came back"},
    {"dropped from swap", "the page was not wanted any more, as when its program ends"},
    {"shared in swap", "fork copied an entry of a page that is swapped out"},
    {"huge page made", "one entry maps 2 MiB (or 1 GiB) where nothing was mapped"},
    {"joined to a huge page", "one entry took the place of a table of small pages"},
    {"huge page split", "a table of small pages took the place of one entry"},
};

/// A huge page that is about to be split, or moved: Linux takes its P away first.
bool is_absent_leaf(u64 raw, unsigned level) {
  return level > 1 && !is_present(raw) && (raw & mmu::kPtePs) != 0;
}

}  // namespace

const KindRow& row_of(EntryEvent event) { return kRows[static_cast<unsigned>(event)]; }

EntryLog::EntryLog() : series_(kEntryEvents, Series(Joined::Sum)) {}

void EntryLog::changed(const EntryChange& change, Moment at, u32 window) {
  const auto [phys, level, linear, space, before, after] = change;
  // A kernel takes P from pages of its own without swapping them.
  const bool may_swap = level == 1 && !change.upper_half();
  if (after == 0) {
    cleared_[next_cleared_++ % kCleared] = {phys, before};
    if (!may_swap || !LeafEntry::is_linux_swap(before)) return;
    const auto out = out_.find(phys);
    add(EntryEvent::SwapDropped, change, before, at, window, out == out_.end() ? 0 : at.ns - out->second);
    if (out != out_.end()) out_.erase(out);
    return;
  }
  const u64 last = before != 0 ? before : take_cleared(phys);
  if (level == 1 && !may_swap) return;
  if (level == 1) {
    if (LeafEntry::is_linux_swap(after)) {
      if (LeafEntry::is_linux_swap(before)) return;
      add(is_present(last) ? EntryEvent::SwappedOut : EntryEvent::SwapShared, change, last, at, window);
      if (out_.size() < kMaxOut) out_[phys] = at.ns;
    } else if (is_present(after) && LeafEntry::is_linux_swap(before)) {
      const auto out = out_.find(phys);
      const u64 away_ns = out == out_.end() ? 0 : at.ns - out->second;
      if (out != out_.end()) {
        ++away_[std::min<std::size_t>(std::bit_width(away_ns | 1) - 1, FaultLog::kDurations - 1)];
        out_.erase(out);
      }
      add(EntryEvent::SwappedIn, change, before, at, window, away_ns);
    }
    return;
  }
  if (is_leaf(after, level)) {
    const bool same_page = ((last ^ after) & kEntryAddress & ~(entry_bytes(level) - 1)) == 0;
    if (is_leaf(before, level) || is_absent_leaf(before, level) || (is_leaf(last, level) && same_page))
      return;
    add(is_link(last, level) ? EntryEvent::HugeJoined : EntryEvent::HugeMade, change, last, at, window);
  } else if (is_link(after, level) && (is_leaf(before, level) || is_absent_leaf(before, level))) {
    add(EntryEvent::HugeSplit, change, before, at, window);
  }
}

void EntryLog::add(EntryEvent event, const EntryChange& change, u64 before, Moment at, u32 window,
                   u64 away_ns) {
  series_[index(event)].add(window, 1);
  kept_[index(event)].add({at, change.upper_half() ? Spaces::kKernel : change.space, change.linear, before,
                           change.after, away_ns});
}

// What was there before it was cleared a moment ago; 0: that is not known.
u64 EntryLog::take_cleared(u64 phys) {
  for (std::size_t ago = 1; ago <= kCleared; ++ago) {
    Cleared& one = cleared_[(next_cleared_ - ago) % kCleared];
    if (one.phys != phys) continue;
    const u64 before = one.before;
    one = {};
    return before;
  }
  return 0;
}

}  // namespace reprise::machine::memory_report
