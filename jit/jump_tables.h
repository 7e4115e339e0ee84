// Where generated code finds the target of a jump that leaves its page: one table for each page and mode with
// the address of the code of the block that begins at each byte, below 4 GiB. What has no code has the address
// of `miss`.
//
// The fetch TLB's entries point at the tables (Mmu::set_fetch_note), so whatever makes a translation go away
// takes its table out of reach with it.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>

#include "cpu/mode.h"

namespace reprise::jit {

class JumpTables {
 public:
  using Table = std::array<u32, kPageBytes>;

  /// `miss`: the code to run where there is none.
  void set_miss(const u8* miss);
  /// Of pages without a table of their own.
  const Table& empty() const { return *empty_; }
  /// No further mode has room: clear() first.
  bool full() const { return modes_.size() >= kPageBytes; }
  /// That of the page at `phys_page` in `mode`, unless full(). Stays where it is until clear().
  Table& of(u64 phys_page, cpu::ModeKey mode);
  u32 miss() const { return miss_; }
  void clear() {
    tables_.clear();
    modes_.clear();
  }
  u64 count() const { return tables_.size(); }

 private:
  u32 miss_ = 0;
  std::unique_ptr<Table> empty_;
  // By page address plus a number of the mode, which is below the page size.
  std::unordered_map<u64, std::unique_ptr<Table>> tables_;
  std::unordered_map<u32, u64> modes_;
};

}  // namespace reprise::jit
