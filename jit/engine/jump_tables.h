// Where generated code finds the target of a jump that leaves its page: one table for each page and mode with
// the address of the code of the block that begins at each byte, below 4 GiB. What has no code has the address
// of `miss`.
//
// The fetch TLB's entries point at the tables (Mmu::set_fetch_note), so whatever makes a translation go away
// takes its table out of reach with it.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cpu/state/mode.h"

namespace reprise::jit {

class JumpTables {
 public:
  using Table = std::array<u32, kPageBytes>;

  JumpTables() { clear(); }

  /// `miss`: the code to run where there is none.
  void set_miss(const u8* miss);
  u32 miss() const { return miss_; }
  /// Of pages without a table of their own.
  const Table& empty() const { return *empty_; }

  /// How many tables there may be.
  void set_limit(u64 tables) { limit_ = tables; }
  bool full() const { return tables_.size() >= limit_; }
  /// No further mode has a number: time for clear().
  bool modes_full() const { return modes_.size() + 1 >= kPageBytes; }
  /// Stands for `mode` in the calls below until clear(); 0 when there are too many.
  u64 mode_number(cpu::ModeKey mode);
  /// That of the page at `phys_page`. Stays where it is until it is forgotten.
  Table& of(u64 phys_page, u64 mode_number);
  /// The same, or nullptr when there is none yet. Touches no vector registers.
  Table* find(u64 phys_page, u64 mode_number) const {
    const u64 key = phys_page | mode_number;
    for (u64 i = hash(key);; ++i) {
      const Slot& slot = slots_[i & (slots_.size() - 1)];
      if (slot.key == key) return slot.table;
      if (slot.key == 0) return nullptr;
    }
  }
  /// Forgets the oldest tables, one in eight, and returns which, in the order of their addresses.
  std::vector<std::unique_ptr<Table>> take_oldest();
  /// How many that would be.
  u64 oldest() const { return std::max<u64>(tables_.size() / 8, 1); }
  void clear();
  u64 count() const { return tables_.size(); }

 private:
  struct Slot {
    u64 key = 0;  // page address and mode number; never 0 when used
    Table* table = nullptr;
  };
  void rehash(std::size_t slots);
  static u64 hash(u64 key) { return (key * 0x9e37'79b9'7f4a'7c15u) >> 32; }
  void put(u64 key, Table* table);

  u64 limit_ = ~u64{0};
  u32 miss_ = 0;
  std::unique_ptr<Table> empty_;
  std::vector<std::unique_ptr<Table>> tables_;  // in the order they were made in
  std::vector<Slot> slots_;                     // a power of two of them, at most half of them used
  std::unordered_map<u32, u64> modes_;
};

}  // namespace reprise::jit
