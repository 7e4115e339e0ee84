// What a loaded segment register allows: types and limits. SDM 3A 5.3, 5.4.
#pragma once

#include "cpu/state/mode.h"
#include "cpu/state/state.h"
#include "mmu/tlb.h"

namespace reprise::cpu {

/// How far accesses through a segment register reach for certain, in bytes from its base: those that end
/// there or before are allowed, others need a closer look.
struct SegmentReach {
  u64 read_end = 0;
  u64 write_end = 0;
};

/// True when the type of the segment lets code in protected mode access it.
bool segment_type_allows(const Segment& segment, mmu::Access access);
/// How far all accesses through the segment are allowed in `mode`, which is not a 64-bit one. Nothing is
/// certain of segments that expand down.
SegmentReach segment_reach(const Segment& segment, ModeKey mode);

/// True when [offset, offset + bytes) lies within the limit. `offset` is truncated to 32 bits by the caller.
bool within_limit(const Segment& segment, u64 offset, u64 bytes);

}  // namespace reprise::cpu
