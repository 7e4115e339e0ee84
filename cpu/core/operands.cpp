// Segmentation and alignment checks of data accesses. SDM 3A 5.3 (limit), 5.5 (type), 6.15 #AC.
#include "cpu/core/operands.h"

namespace reprise::cpu {
namespace {

/// The alignment #AC asks for, SDM 3A table 6-7; 1 when there is none, as for vectors. x87 environments (14
/// or 28 bytes) and states (94 or 108 bytes) count as their fields, FXSAVE and XSAVE areas as doublewords:
/// one that is aligned to those, but not as it must be, gives #GP.
u64 required_alignment(u64 bytes) {
  switch (bytes) {
    case 2:
    case 14:
    case 94: return 2;
    case 4:
    case 28:
    case 108: return 4;
    case 8:
    case 10: return 8;
    default: return bytes >= 512 ? 4 : 1;
  }
}

/// Undefined: an access that wraps around the top of a 4 GiB segment, which we let through.
bool limit_allows(const Segment& segment, u64 effective, u64 bytes) {
  const u64 last = effective + bytes - 1;
  if (!segment.code() && (segment.access & Segment::kExpandDown) != 0) {
    return effective > segment.limit && last <= (segment.db() ? u64{0xffffffff} : u64{0xffff});
  }
  return last <= segment.limit || segment.limit == 0xffffffff;
}

bool check_segment(Cpu& cpu, const Segment& segment, bool stack, u64 effective, u64 bytes,
                   mmu::Access access) {
  const bool allowed = (!cpu.mode.has(ModeKey::kProtected) || segment_type_allows(segment, access)) &&
                       limit_allows(segment, effective, bytes);
  if (!allowed) cpu.raise(stack ? kSS : kGP, 0);
  return allowed;
}

/// Before any page fault, after #GP or #SS for an address that is not canonical.
bool check_alignment(Cpu& cpu, const Insn& in, u64 linear, u64 bytes) {
  if (!in.has(Insn::kAlignCheck) || (linear & (required_alignment(bytes) - 1)) == 0) return true;
  if (!mmu::is_canonical(cpu.mmu.context(), linear)) return true;
  cpu.raise(kAC, 0);
  return false;
}

}  // namespace

bool check_data_address(Cpu& cpu, const Insn& in, u64 effective, u64 bytes, mmu::Access access, u64& linear) {
  if (!in.has(Insn::kCode64) && in.seg != kSegFlat) {
    const Segment& segment = cpu.state.seg[in.seg];
    if (!check_segment(cpu, segment, in.has(Insn::kStackSegment), effective, bytes, access)) return false;
    linear = static_cast<u32>(segment.base + effective);
  }
  return check_alignment(cpu, in, linear, bytes);
}

bool segment_linear(Cpu& cpu, const Insn& in, SegmentIndex seg, u64 effective, u64 bytes, mmu::Access access,
                    u64& linear) {
  const Segment& segment = cpu.state.seg[seg];
  if (in.has(Insn::kCode64)) {
    linear = seg == FS || seg == GS ? effective + segment.base : effective;
  } else {
    if (!check_segment(cpu, segment, seg == SS, effective, bytes, access)) return false;
    linear = static_cast<u32>(segment.base + effective);
  }
  return check_alignment(cpu, in, linear, bytes);
}

}  // namespace reprise::cpu
