// The body of the page walker, over any memory with read_entry and write_entry, so that a walk over plain RAM
// makes no virtual call. One loop serves all modes; what differs between them is in WalkShape.
// SDM 3A 4.3-4.5.
#pragma once

#include "common/bits.h"
#include "mmu/page_walk.h"

namespace reprise::mmu {

//  mode      entry bytes  index bits  levels in memory   large leaf
//  32-bit         4           10             2           4 MiB (CR4.PSE)
//  PAE            8            9             2           2 MiB (level 3 is the four PDPTE registers)
//  4-level        8            9             4           2 MiB, 1 GiB
//  5-level        8            9             5           2 MiB, 1 GiB
enum class PagingMode : u8 { None, Bits32, Pae, Level4, Level5 };

constexpr PagingMode paging_mode(const PagingContext& context) {
  if (!(context.cr0 & kCr0Pg)) return PagingMode::None;
  if (!(context.cr4 & kCr4Pae)) return PagingMode::Bits32;
  if (!(context.efer & kEferLma)) return PagingMode::Pae;
  return context.cr4 & kCr4La57 ? PagingMode::Level5 : PagingMode::Level4;
}

// The bits of an entry that must be zero in any present entry, and those of a large leaf by level.
struct ReservedBits {
  u64 any;
  u64 level2_leaf;
  u64 level3_leaf;
};

inline constexpr u64 kEntryAddressMask = 0x000ffffffffff000;

/// Bits high:low as a mask; empty when high < low.
constexpr u64 bit_range(unsigned high, unsigned low) {
  return high < low ? 0 : field(~u64{0}, 0, high - low + 1) << low;
}

constexpr unsigned clamped_physical_bits(const PagingContext& context) {
  const unsigned bits = context.physical_address_bits;
  return bits < 32 ? 32 : bits > 52 ? 52 : bits;
}

constexpr ReservedBits reserved_bits(const PagingContext& context, PagingMode mode) {
  const unsigned max_phys = clamped_physical_bits(context);
  if (mode == PagingMode::Bits32) {
    // SDM 3A 4.3 (PSE-36): bits 20:13 of a 4 MiB leaf are address bits 39:32, of which those from
    // MAXPHYADDR up are reserved, and so is bit 21.
    const unsigned max_phys36 = max_phys < 40 ? max_phys : 40;
    return {0, bit_range(21, max_phys36 - 19), 0};
  }
  u64 any = bit_range(51, max_phys);
  if (!(context.efer & kEferNxe)) any |= kPteXd;
  if (mode == PagingMode::Pae) any |= bit_range(62, 52);  // SDM 3A 4.4.2, tables 4-9 to 4-11
  return {any, any | bit_range(20, 13), any | bit_range(29, 13)};
}

constexpr u32 access_error_bits(const PagingContext& context, Access access, View view) {
  u32 code = 0;
  if (access == Access::Write) code |= kPfW;
  if (view == View::User) code |= kPfU;
  // SDM 3A 4.7: I/D is set for a fetch when SMEP is on, or PAE (or long mode) with NXE.
  const bool reports_fetch =
      (context.cr4 & kCr4Smep) || ((context.cr4 & kCr4Pae) && (context.efer & kEferNxe));
  if (access == Access::Fetch && reports_fetch) code |= kPfI;
  return code;
}

template <class Memory>
WalkResult page_walk_over(const PagingContext& context, Memory& memory, u64 linear, Access access, View view,
                          WalkEffects effects) {
  const PagingMode mode = paging_mode(context);
  if (mode == PagingMode::None) {
    const u64 phys = linear & 0xffff'ffff;
    return {true, 0, {phys, kPageBytes, false, true, true, true, true}};
  }
  const u32 access_bits = access_error_bits(context, access, view);
  const auto fault = [access_bits](u32 cause) { return WalkResult{false, access_bits | cause, {}}; };
  if (!(context.efer & kEferLma)) linear &= 0xffff'ffff;

  const unsigned entry_bytes = mode == PagingMode::Bits32 ? 4 : 8;
  const unsigned index_bits = mode == PagingMode::Bits32 ? 10 : 9;
  unsigned level = mode == PagingMode::Level5 ? 5 : mode == PagingMode::Level4 ? 4 : 2;
  const ReservedBits reserved = reserved_bits(context, mode);
  u64 table_phys = context.cr3 & (mode == PagingMode::Bits32 ? 0xffff'f000 : kEntryAddressMask);
  if (mode == PagingMode::Pae) {
    // Reserved PDPTE bits were checked when the registers were loaded. SDM 3A 4.4.1
    const u64 pdpte = context.pdptes[linear >> 30];
    if (!(pdpte & kPteP)) return fault(0);
    table_phys = pdpte & kEntryAddressMask;
  }

  u64 entry_phys[6];
  u64 entries[6];
  u64 all = ~u64{0};  // AND of all entries: U/S and R/W hold only if set everywhere
  u64 some = 0;       // OR of all entries: XD holds if set anywhere
  const unsigned top_level = level;
  unsigned shift;
  for (;; --level) {
    shift = static_cast<unsigned>(kPageShift) + (level - 1) * index_bits;
    entry_phys[level] = table_phys + field(linear, shift, index_bits) * entry_bytes;
    const u64 entry = entries[level] = memory.read_entry(entry_phys[level], entry_bytes);
    if (!(entry & kPteP)) return fault(0);
    all &= entry;
    some |= entry;
    u64 must_be_zero = reserved.any;
    bool leaf = level == 1;
    if (level > 1 && (entry & kPtePs)) {
      if (mode == PagingMode::Bits32) {
        leaf = (context.cr4 & kCr4Pse) != 0;  // SDM 3A 4.3: PS is ignored without CR4.PSE
        if (leaf) must_be_zero = reserved.level2_leaf;
      } else if (level == 2) {
        leaf = true;
        must_be_zero = reserved.level2_leaf;
      } else if (level == 3 && context.gib_pages) {
        leaf = true;
        must_be_zero = reserved.level3_leaf;
      } else {
        must_be_zero |= kPtePs;
      }
    }
    if (entry & must_be_zero) return fault(kPfP | kPfRsvd);
    if (leaf) break;
    table_phys = entry & (entry_bytes == 4 ? 0xffff'f000 : kEntryAddressMask);
  }

  const u64 leaf = entries[level];
  Translation translation;
  translation.page_bytes = u64{1} << shift;
  u64 page_phys = leaf & kEntryAddressMask & ~(translation.page_bytes - 1);
  if (mode == PagingMode::Bits32 && level == 2) page_phys |= field(leaf, 13, 8) << 32;
  translation.phys = page_phys | (linear & (translation.page_bytes - 1));
  translation.global = (leaf & kPteG) && (context.cr4 & kCr4Pge);
  translation.user = (all & kPteUs) != 0;
  translation.writable = (all & kPteRw) != 0;
  translation.executable = !(mode != PagingMode::Bits32 && (some & kPteXd));
  if (!access_permitted(context, translation.user, translation.writable, translation.executable, access,
                        view))
    return fault(kPfP);

  // SDM 3A 4.8: A in every entry used, D in the leaf of a write. From the root down, so that an entry that is
  // its own leaf (a self-mapped table) ends with both.
  const u64 leaf_flags = access == Access::Write ? kPteA | kPteD : kPteA;
  translation.dirty = (leaf & kPteD) || access == Access::Write;
  if (effects == WalkEffects::SetAccessedDirty) {
    for (unsigned used = top_level; used >= level; --used) {
      const u64 flags = used == level ? leaf_flags : kPteA;
      if ((entries[used] & flags) != flags)
        memory.write_entry(entry_phys[used], entry_bytes, entries[used] | flags);
    }
  }
  return {true, 0, translation};
}

}  // namespace reprise::mmu
