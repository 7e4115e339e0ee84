// How much the second-level TLB holds. Guests can see it, so it is a part of the processor's profile.
#pragma once

#include "common/types.h"

namespace reprise::mmu {

/// Numbers of sets are powers of two; a set has four entries.
struct TlbGeometry {
  u32 sets = 2048;        // of pieces of 4 KiB
  u32 large_sets = 256;   // of pieces of 2 MiB
  u32 spaces = 1u << 19;  // numbers of address spaces until they begin again: 3 to 2^19
  friend bool operator==(const TlbGeometry&, const TlbGeometry&) = default;

  /// One of `entries` pieces of 4 KiB, a power of two from 8 to 65536, with the rest in proportion.
  static constexpr TlbGeometry of(u32 entries) {
    return {entries / 4, entries < 32 ? 1 : entries / 32, entries * 64 < (1u << 19) ? entries * 8 : 1u << 19};
  }
};

}  // namespace reprise::mmu
