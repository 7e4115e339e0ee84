#include "cpu/core/segment_reach.h"

namespace reprise::cpu {

bool segment_type_allows(const Segment& segment, mmu::Access access) {
  if (!segment.usable()) return false;
  if (access == mmu::Access::Write) return !segment.code() && (segment.access & Segment::kWritable) != 0;
  return !segment.code() || (segment.access & Segment::kReadable) != 0;
}

SegmentReach segment_reach(const Segment& segment, ModeKey mode) {
  if (!segment.code() && (segment.access & Segment::kExpandDown) != 0) return {};
  // Nothing lies beyond a limit of 4 GiB: addresses wrap.
  const u64 end = segment.limit == 0xffffffff ? ~u64{0} : u64{segment.limit} + 1;
  const auto allowed = [&](mmu::Access access) {
    return !mode.has(ModeKey::kProtected) || segment_type_allows(segment, access);
  };
  return {allowed(mmu::Access::Read) ? end : 0, allowed(mmu::Access::Write) ? end : 0};
}

bool within_limit(const Segment& segment, u64 offset, u64 bytes) {
  const u64 last = offset + bytes - 1;
  const bool expand_down =
      !segment.code() && (segment.access & Segment::kS) && (segment.access & Segment::kExpandDown);
  if (!expand_down) return last <= segment.limit;
  return offset > segment.limit && last <= (segment.db() ? 0xffffffffu : 0xffffu);
}

}  // namespace reprise::cpu
