#include "machine/memory_report/page_tables.h"

#include <algorithm>

#include "common/bits.h"
#include "mmu/paging_bits.h"

namespace reprise::machine::memory_report {
namespace {

constexpr unsigned kEntries = 512;
constexpr unsigned kHalf = kEntries / 2;
/// Physical addresses that no processor here has: bits 51:46, or more.
constexpr u64 kNoAddress = 0x000f'c000'0000'0000;

unsigned half_of(u64 linear) { return static_cast<unsigned>(linear >> 63); }

}  // namespace

u64 PageTables::linear_of(const Table& table, unsigned index) const {
  const u64 linear = table.linear + index * entry_bytes(table.level);
  // Canonical: the top level's index decides.
  return table.level == levels_ ? sign_extend(linear, static_cast<unsigned>(kPageShift) + 9 * levels_)
                                : linear;
}

PageTables::Table* PageTables::find(u64 phys_page, unsigned level) {
  const auto page = pages_.find(phys_page);
  if (page == pages_.end()) return nullptr;
  const auto table = std::ranges::find(page->second.tables, level, &Table::level);
  return table == page->second.tables.end() ? nullptr : &*table;
}

void PageTables::loaded(u64 root, unsigned levels, u32 space) {
  if (levels != levels_) forget_all();
  levels_ = levels;
  if (const Table* const known = find(root, levels); known != nullptr && known->root) return;
  if (!adopt(root, levels, 0, space)) return;
  Table& table = *find(root, levels);
  table.root = true;
  table.space = space;
  table.lower_entries = 0;
  const u8* const host = table_at(root);
  for (unsigned index = 0; index < kHalf; ++index)
    table.lower_entries += is_present(read_unaligned<u64>(host + index * 8));
}

// Follows what is in the table, and counts one more that leads there. False: it cannot be one, or is one too many.
bool PageTables::adopt(u64 phys_page, unsigned level, u64 linear, u32 space) {
  const u8* const host = table_at(phys_page);
  if (host == nullptr) return false;
  if (Table* const known = find(phys_page, level)) {
    ++known->references;
    return true;
  }
  if (count_ == kMaxTables) {
    complete_ = false;
    return false;
  }
  ++count_;
  const Table table{.level = level, .references = 1, .space = space, .linear = linear};
  pages_[phys_page].tables.push_back(table);
  ++counts_[level].tables[half_of(linear)];
  watched_.add(phys_page);
  calls_.watch(phys_page);
  for (unsigned index = 0; index < kEntries; ++index) {
    const u64 raw = read_unaligned<u64>(host + index * 8);
    if (!is_present(raw)) continue;
    const u64 at = linear_of(table, index);
    count_mapped(level, at, raw, 1);
    if (is_link(raw, level) && (raw & kNoAddress) == 0) adopt(raw & kEntryAddress, level - 1, at, space);
  }
  return true;
}

void PageTables::count_mapped(unsigned level, u64 linear, u64 raw, int sign) {
  if (!is_leaf(raw, level) || (half_of(linear) == 0 && !(raw & mmu::kPteUs))) return;
  u64& mapped = counts_[level].mapped[half_of(linear)];
  mapped += static_cast<u64>(static_cast<i64>(sign));
}

void PageTables::release(u64 phys_page, unsigned level) {
  Table* const table = find(phys_page, level);
  if (table == nullptr || --table->references > 0) return;
  drop(phys_page, level);
}

// It is no table any more, whoever leads to it.
void PageTables::drop(u64 phys_page, unsigned level) {
  const auto page = pages_.find(phys_page);
  if (page == pages_.end()) return;
  const auto found = std::ranges::find(page->second.tables, level, &Table::level);
  if (found == page->second.tables.end()) return;
  const Table table = *found;
  page->second.tables.erase(found);
  --count_;
  --counts_[level].tables[half_of(table.linear)];
  if (page->second.tables.empty()) {
    pages_.erase(page);
    watched_.remove(phys_page);
  }
  const u8* const host = table_at(phys_page);
  for (unsigned index = 0; host != nullptr && index < kEntries; ++index) {
    const u64 raw = read_unaligned<u64>(host + index * 8);
    if (!is_present(raw)) continue;
    count_mapped(level, linear_of(table, index), raw, -1);
    if (is_link(raw, level) && (raw & kNoAddress) == 0) release(raw & kEntryAddress, level - 1);
  }
}

void PageTables::end_root(u64 root, unsigned level) {
  drop(root, level);
  calls_.ended(root);
}

void PageTables::word_stored(u64 phys, u64 before, u64 after) {
  const u64 phys_page = phys & kPageMask;
  const auto page = pages_.find(phys_page);
  if (page == pages_.end()) return;
  unsigned levels[kMaxLevel];
  unsigned count = 0;
  for (const Table& table : page->second.tables) levels[count++] = table.level;
  const unsigned index = static_cast<unsigned>(phys & ~kPageMask) / 8;
  for (unsigned i = 0; i < count; ++i) entry_changed(phys_page, levels[i], index, before, after);
}

void PageTables::entry_changed(u64 phys_page, unsigned level, unsigned index, u64 before, u64 after) {
  const Table* const found = find(phys_page, level);
  if (found == nullptr) return;
  const Table table = *found;
  const u64 linear = linear_of(table, index);
  // The word is `after` already; what is counted and followed is what was there.
  count_mapped(level, linear, before, -1);
  count_mapped(level, linear, after, 1);
  const bool led = is_link(before, level) && (before & kNoAddress) == 0;
  const bool leads = is_link(after, level) && (after & kNoAddress) == 0;
  const bool another = ((before ^ after) & kEntryAddress) != 0;
  if (leads && (!led || another)) adopt(after & kEntryAddress, level - 1, linear, table.space);
  if (led && (!leads || another)) release(before & kEntryAddress, level - 1);
  calls_.changed({phys_page + index * 8, level, linear, table.space, before, after});

  if (table.root) {
    Table* const root = find(phys_page, level);
    if (root == nullptr) return;
    if (index < kHalf) {
      const bool had_some = root->lower_entries > 0;
      root->lower_entries += is_present(after);
      root->lower_entries -= is_present(before) && root->lower_entries > 0;
      if (had_some && root->lower_entries == 0) return end_root(phys_page, level);
    } else if (is_present(before) && !is_present(after) && !calls_.in_use(phys_page)) {
      return end_root(phys_page, level);
    }
  }
  if (is_present(after) && (after & kNoAddress) != 0) {
    if (table.root)
      end_root(phys_page, level);
    else
      drop(phys_page, level);
  }
}

void PageTables::forget_all() {
  for (const auto& [phys_page, page] : pages_) watched_.remove(phys_page);
  pages_.clear();
  count_ = 0;
  for (Counts& counts : counts_) counts = {};
}

}  // namespace reprise::machine::memory_report
