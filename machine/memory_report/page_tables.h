// PageTables: which pages of RAM are page tables, found by what the entries say and not by asking the guest's kernel.
//
// It begins at each root that comes into CR3 and follows the entries down; from then on the pages are watched for stores, so
// every change of an entry is seen as it happens, and what it leads to is followed or forgotten. 4-level and 5-level paging.
//
// When is a page no table any more? When no entry leads to it. A root is none when the last entry of its lower half goes
// (Linux clears them before it frees the page), when one of its upper half goes while no processor uses it, and any table when
// an entry is stored into it that no processor would take.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "common/bits.h"
#include "common/types.h"
#include "mmu/paging_bits.h"
#include "mmu/paging_observer.h"
#include "mmu/phys_map.h"

namespace reprise::machine::memory_report {

/// An entry of a table that was in use became another one.
struct EntryChange {
  u64 phys;        // where it lies
  unsigned level;  // of its table: 1 has PTEs
  u64 linear;      // the first address that it translates
  u32 space;       // whose: the one by which the table was found first
  u64 before;
  u64 after;
  bool upper_half() const { return linear >> 63 != 0; }
};

class PageTables {
 public:
  static constexpr unsigned kMaxLevel = 5;
  /// Beyond so many tables no more are followed.
  static constexpr std::size_t kMaxTables = std::size_t{1} << 18;

  struct Calls {
    std::function<void(u64 phys_page)>
        watch;  // its stores are wanted from now on: no processor may have a write tag
    std::function<void(const EntryChange&)> changed;
    std::function<bool(u64 root)> in_use;  // some processor has it in CR3
    std::function<void(u64 root)> ended;
  };
  PageTables(const mmu::PhysMap& map, Calls calls) : map_(map), calls_(std::move(calls)) {}

  /// CR3 has `root`, of `levels` levels, for `space`.
  void loaded(u64 root, unsigned levels, u32 space);
  void word_stored(u64 phys, u64 before, u64 after);
  /// Paging ends everywhere: all tables may become something else.
  void forget_all();
  const mmu::PhysPages& watched() const { return watched_; }

  enum class Half : u8 { Lower, Upper };
  u64 tables(unsigned level, Half half) const { return counts_[level].tables[static_cast<unsigned>(half)]; }
  /// Pages of that level's size that are mapped, by entries of tables that several spaces share once. In the lower half those
  /// that programs may use: some kernels begin with a map of all memory there.
  u64 mapped(unsigned level, Half half) const { return counts_[level].mapped[static_cast<unsigned>(half)]; }
  /// There were more than kMaxTables.
  bool complete() const { return complete_; }

  /// Whether there is a table, or the root of a space, at that page.
  bool is_table(u64 phys_page) const { return pages_.contains(phys_page); }
  template <class Visit>
  void for_each_table_page(Visit visit) const {
    for (const auto& [phys_page, page] : pages_) visit(phys_page);
  }
  /// Calls visit(linear, level, entry) for each page that `root`, which must be one, maps in that half.
  template <class Visit>
  void for_each_mapped(u64 root, Half half, Visit visit) const {
    if (!is_table(root)) return;
    const u64 upper = ~u64{0} << (kPageShift + 9 * levels_);
    if (half == Half::Lower)
      visit_entries(root, levels_, 0, 256, 0, visit);
    else
      visit_entries(root, levels_, 256, 512, upper, visit);
  }

 private:
  struct Table {
    unsigned level = 0;
    u32 references = 0;  // entries that lead here, and being a root
    u32 space = 0;
    u64 linear = 0;  // the first address
    bool root = false;
    u32 lower_entries = 0;  // of a root: those of its lower half that are present
  };
  /// Of one page: usually one table. One that contains itself is several.
  struct Page {
    std::vector<Table> tables;
  };
  struct Counts {
    u64 tables[2] = {};
    u64 mapped[2] = {};
  };

  const u8* table_at(u64 phys_page) const { return map_.ram_host(phys_page, kPageBytes); }
  u64 linear_of(const Table& table, unsigned index) const;
  Table* find(u64 phys_page, unsigned level);
  bool adopt(u64 phys_page, unsigned level, u64 linear, u32 space);
  void release(u64 phys_page, unsigned level);
  void drop(u64 phys_page, unsigned level);
  void end_root(u64 root, unsigned level);
  void entry_changed(u64 phys_page, unsigned level, unsigned index, u64 before, u64 after);
  void count_mapped(unsigned level, u64 linear, u64 raw, int sign);
  template <class Visit>
  void visit_entries(u64 table, unsigned level, unsigned first, unsigned end, u64 linear, Visit& visit) const;

  const mmu::PhysMap& map_;
  const Calls calls_;
  mmu::PhysPages watched_;
  std::unordered_map<u64, Page> pages_;  // by physical page
  std::size_t count_ = 0;
  unsigned levels_ = 4;
  Counts counts_[kMaxLevel + 1];
  bool complete_ = true;
};

// --- What an entry says ---

inline constexpr u64 kEntryAddress = 0x000f'ffff'ffff'f000;
constexpr bool is_present(u64 raw) { return (raw & mmu::kPteP) != 0; }
/// It is a page's: of 4 KiB, 2 MiB or 1 GiB.
constexpr bool is_leaf(u64 raw, unsigned level) {
  return is_present(raw) && (level == 1 || (level <= 3 && (raw & mmu::kPtePs) != 0));
}
/// It leads to a table.
constexpr bool is_link(u64 raw, unsigned level) {
  return is_present(raw) && level > 1 && !is_leaf(raw, level);
}
/// What an entry of a table of that level translates.
constexpr u64 entry_bytes(unsigned level) { return kPageBytes << (level - 1) * 9; }

template <class Visit>
void PageTables::visit_entries(u64 table, unsigned level, unsigned first, unsigned end, u64 linear,
                               Visit& visit) const {
  const u8* const host = table_at(table);
  if (host == nullptr) return;
  for (unsigned index = first; index < end; ++index) {
    const u64 raw = read_unaligned<u64>(host + index * 8);
    const u64 at = linear + index * entry_bytes(level);
    if (is_leaf(raw, level)) visit(at, level, raw);
    if (is_link(raw, level)) visit_entries(raw & kEntryAddress, level - 1, 0, 512, at, visit);
  }
}

}  // namespace reprise::machine::memory_report
