// The first-level software TLB: entry layout, shared with generated code.
//
// One TlbArray per (privilege view, access kind). A tag is present only for plain RAM (for reading and fetching
// also ROM) with the right permission, A (and D for write) already set in the paging entries, no watchpoint in
// the page and, for write, no translated code in the page. So a hit needs no other check:
//
//     offset = linear - entry.tag_linear;  hit = offset <= 4096 - size
//
// Whatever a tag says, the second level would say too (second_level_tlb.h): tags may go at any time, for any reason, and
// the guest cannot tell.
//
// Page-crossing accesses, MMIO, stores to ROM and non-canonical addresses never match and take the slow path.
#pragma once

#include <bit>

#include "common/types.h"

namespace reprise::mmu {

enum class Access : u8 { Read, Write, Fetch };
inline constexpr unsigned kAccessKinds = 3;

/// Whose rights an access has. Kernel: supervisor with SMAP enforced (also implicit supervisor accesses
/// at CPL 3); KernelAc: explicit supervisor access with EFLAGS.AC=1. SDM 3A 4.6.
enum class View : u8 { User, Kernel, KernelAc };
inline constexpr unsigned kViews = 3;

inline constexpr unsigned kTlbEntries = 1024;

struct TlbEntry {
  u64 tag_linear;  // page-aligned linear address, or a value no address of this slot can match
  u64 host_page;   // host address of the page
  u64 delta;       // host_page - tag_linear; in fetch arrays what Mmu::set_fetch_note left
  u64 phys_page;   // page-aligned guest-physical address
};
static_assert(sizeof(TlbEntry) == 32);

constexpr unsigned tlb_slot(u64 linear) { return (linear >> kPageShift) & (kTlbEntries - 1); }

/// Belongs to another slot, so `linear - tag` is never below 4096 for an address of this one.
constexpr u64 tlb_invalid_tag(unsigned slot) { return u64{slot ^ 1} << kPageShift; }

inline constexpr unsigned kTlbWords = kTlbEntries / 64;

struct TlbArray {
  TlbEntry entries[kTlbEntries];
  u64 used[kTlbWords];    // slots filled since the last flush, so that a flush costs what was used
  u64 global[kTlbWords];  // of those, slots of global pages, which survive a change of address space
  u64 used_words;         // bit i: used[i] is not 0

  /// For construction: every slot invalid.
  void reset() {
    for (unsigned slot = 0; slot < kTlbEntries; ++slot) entries[slot] = {tlb_invalid_tag(slot), 0, 0, 0};
    for (unsigned word = 0; word < kTlbWords; ++word) used[word] = global[word] = 0;
    used_words = 0;
  }
  void fill(u64 linear_page, u64 host_page, u64 delta, u64 phys_page, bool is_global) {
    const unsigned slot = tlb_slot(linear_page);
    entries[slot] = {linear_page, host_page, delta, phys_page};
    const u64 bit = u64{1} << (slot & 63);
    used[slot / 64] |= bit;
    used_words |= u64{1} << (slot / 64);
    if (is_global)
      global[slot / 64] |= bit;
    else
      global[slot / 64] &= ~bit;
  }
  void drop(unsigned slot) { entries[slot].tag_linear = tlb_invalid_tag(slot); }
  /// Calls `visit(slot)` for every slot in use, in order. `visit` may drop tags.
  template <class Visit>
  void for_each_used(Visit visit) const {
    for (u64 words = used_words; words != 0; words &= words - 1) {
      const unsigned word = static_cast<unsigned>(std::countr_zero(words));
      for (u64 slots = used[word]; slots != 0; slots &= slots - 1)
        visit(word * 64 + static_cast<unsigned>(std::countr_zero(slots)));
    }
  }
  /// The same for `count` slots from `first` on, both multiples of 64.
  template <class Visit>
  void for_each_used_in(unsigned first, unsigned count, Visit visit) const {
    for (unsigned word = first / 64; word < (first + count) / 64; ++word)
      for (u64 slots = used[word]; slots != 0; slots &= slots - 1)
        visit(word * 64 + static_cast<unsigned>(std::countr_zero(slots)));
  }
};

}  // namespace reprise::mmu
