// The page walker: a pure function from paging registers, memory and an access to a translation or a fault.
// All five paging modes: none, 32-bit (with PSE, PSE-36), PAE, 4-level, 5-level. SDM 3A chapter 4.
// Not here: protection keys, paging-structure caches, EPT. The body is in page_walk_impl.h.
#pragma once

#include "common/types.h"
#include "mmu/paging_bits.h"
#include "mmu/tlb.h"

namespace reprise::mmu {

/// Physical memory as the walker needs it: aligned entries of 4 or 8 bytes.
class WalkMemory {
 public:
  virtual ~WalkMemory() = default;
  virtual u64 read_entry(u64 phys, unsigned bytes) = 0;
  virtual void write_entry(u64 phys, unsigned bytes, u64 value) = 0;
};

struct PagingContext {
  u64 cr0 = 0;
  u64 cr3 = 0;
  u64 cr4 = 0;
  u64 efer = 0;
  u64 pdptes[4] = {};             // PAE only: loaded by MOV to CR3, not at each walk. SDM 3A 4.4.1
  u8 physical_address_bits = 46;  // MAXPHYADDR, 32..52: entry bits from here to 51 are reserved
  bool gib_pages = true;
};

struct Translation {
  u64 phys;         // of the byte asked for
  u64 page_bytes;   // 4 KiB, 2 MiB, 4 MiB or 1 GiB
  bool global;      // G in the leaf and CR4.PGE
  bool user;        // U/S set at every level
  bool writable;    // R/W set at every level
  bool executable;  // XD clear at every level (or not enabled)
  bool dirty;       // D in the leaf after this access
};

struct WalkResult {
  bool ok;
  u32 error_code;  // page-fault error code when !ok
  Translation translation;
};

enum class WalkEffects : u8 { SetAccessedDirty, None };

/// Translates `linear` for `access` with the rights of `view`. With SetAccessedDirty the A (and, for writes,
/// D) bits are set as the manual orders: only when the whole walk succeeds in permission.
/// Outside long mode only bits 31:0 of `linear` count; in long mode it must be canonical.
WalkResult page_walk(const PagingContext& context, WalkMemory& memory, u64 linear, Access access, View view,
                     WalkEffects effects);

/// True when `linear` is canonical under the context (always true outside long mode).
inline bool is_canonical(const PagingContext& context, u64 linear) {
  if (!(context.efer & kEferLma)) return true;
  const unsigned unused_bits = context.cr4 & kCr4La57 ? 64 - 57 : 64 - 48;
  return static_cast<u64>(static_cast<i64>(linear << unused_bits) >> unused_bits) == linear;
}

/// The access rights of a page, SDM 3A 4.6.1: true when `access` with the rights of `view` may use a page
/// with these accumulated U/S, R/W and not-XD bits. Paging is on.
constexpr bool access_permitted(const PagingContext& context, bool user, bool writable, bool executable,
                                Access access, View view) {
  if (view == View::User) {
    if (!user) return false;
  } else if (user) {
    if (access == Access::Fetch && (context.cr4 & kCr4Smep)) return false;
    if (access != Access::Fetch && (context.cr4 & kCr4Smap) && view != View::KernelAc) return false;
  }
  if (access == Access::Fetch) return executable;
  if (access == Access::Write) return writable || (view != View::User && !(context.cr0 & kCr0Wp));
  return true;
}

}  // namespace reprise::mmu
