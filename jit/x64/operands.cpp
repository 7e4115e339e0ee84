#include "jit/x64/operands.h"

#include <algorithm>
#include <cstddef>

#include "common/check.h"

namespace reprise::jit::x64 {

using cpu::Insn;
using mmu::Access;
using mmu::TlbEntry;

void Operands::check_alignment(unsigned alignment) {
  if (alignment == 1) return;
  em_.a.test(kScratch0.r8(), alignment - 1);
  em_.a.jnz(slow_paths_.slow());
}

void Operands::probe_address(const Mem& at, unsigned address_bytes, u8 seg, Access access, unsigned bytes,
                             unsigned alignment, Extent extent) {
  flags_.save();
  // A repeated probe finds its address in scratch 0.
  const Label retry = em_.a.newLabel();
  addresses_.load(scratch0(std::max(address_bytes, 4u)), at);
  if (address_bytes == 2) em_.a.movzx(scratch0(4), scratch0(2));
  addresses_.add_segment(seg, access, bytes);
  check_alignment(alignment);
  em_.a.bind(retry);
  tlb_.look(retry, slow_paths_.slow(), access, bytes, extent);
  flags_.lost();
}

Mem Operands::probe(const Mem& at, unsigned address_bytes, u8 seg, Access access, unsigned bytes,
                    unsigned alignment, Extent extent) {
  const CountAs probing(em_.a, HostInsn::Probe);
  probe_address(at, address_bytes, seg, access, bytes, alignment, extent);
  em_.a.mov(kScratch1, tlb_.entry(access, offsetof(TlbEntry, host_page)));
  return x86::ptr(kScratch1, kScratch0, 0, 0, bytes);
}

Mem Operands::probe(const Insn& in, Access access, unsigned bytes, unsigned alignment) {
  const CountAs probing(em_.a, HostInsn::Probe);
  const PlannedInsn& planned = em_.unit.plan.insns[em_.index];
  if (!planned.stack && groups_.open(planned)) {
    CHECK(access != Access::Write || em_.unit.plan.groups[static_cast<unsigned>(planned.group)].writes);
    if (alignment > 1 && !planned.aligned) {
      flags_.save();
      addresses_.load(in.base / 8, in.index / 8, in.scale, planned.disp);
      addresses_.add_segment(in.seg, access, bytes);
      check_alignment(alignment);
      flags_.lost();
    }
    return groups_.operand(planned, bytes);
  }
  const unsigned base = in.base / 8;
  const unsigned address_bytes = (64 - in.addr_shift) / 8;
  if (in.index / 8 != cpu::kGprZero || !regs_.pinned(base) || in.seg != cpu::kSegFlat || address_bytes != 8)
    return probe(addresses_.of(in), address_bytes, in.seg, access, bytes, alignment);
  // The access does not wait for the arithmetic of the probe, only for what it loads.
  probe_address(addresses_.of(in), address_bytes, in.seg, access, bytes, alignment, Extent::Operand);
  em_.a.mov(kScratch1, tlb_.entry(access, offsetof(TlbEntry, delta)));
  return x86::ptr(regs_.reg(base, 8), kScratch1, 0, static_cast<i32>(in.disp), bytes);
}

Mem Operands::probe_stack(unsigned gpr, i32 disp, Access access, unsigned bytes) {
  const CountAs probing(em_.a, HostInsn::Probe);
  const PlannedInsn& planned = em_.unit.plan.insns[em_.index];
  if (planned.stack && groups_.open(planned)) return groups_.operand(planned, bytes);
  const u8 seg = em_.mode().has(cpu::ModeKey::kFlatData) ? u8{cpu::kSegFlat} : u8{cpu::SS};
  return probe(x86::ptr(regs_.fetched(gpr, 8, kScratch0), disp), em_.stack_bytes(), seg, access, bytes);
}

Mem Operands::one_register(const Mem& m) {
  const auto uses = [&](const Gp& reg) {
    return (m.hasBaseReg() && m.baseId() == reg.id()) || (m.hasIndexReg() && m.indexId() == reg.id());
  };
  if (!uses(kScratch0)) return m;
  const CountAs move(em_.a, HostInsn::Move);
  em_.a.lea(kScratch1, m);
  return x86::ptr(kScratch1, 0, m.size());
}

// --- Groups ---

bool ProbeGroups::open(const PlannedInsn& planned) {
  if (planned.group < 0 || off_) return false;
  if (open_ == planned.group) return true;
  const ProbeGroup& group = group_of(planned.group);
  if (em_.index == group.last) return false;
  open_ = planned.group;
  const Access access = group.writes ? Access::Write : Access::Read;
  const auto bytes = static_cast<unsigned>(group.high - group.low);
  flags_.save();
  addresses_.load(group.base, group.index, group.scale, group.low - planned.shift);
  addresses_.add_segment(group.seg, access, bytes);
  check_alignment(group);
  const Label retry = em_.a.newLabel();
  em_.a.bind(retry);
  tlb_.look(retry, slow_paths_.slow(), access, bytes, Extent::Operand);
  if (by_distance(group)) {
    em_.a.mov(kGroupReg, tlb_.entry(access, offsetof(TlbEntry, delta)));
  } else {
    em_.a.mov(kGroupReg, tlb_.entry(access, offsetof(TlbEntry, host_page)));
    em_.a.add(kGroupReg, kScratch0);
  }
  flags_.lost();
  return true;
}

/// Scratch 0 is the address of the group's first byte.
void ProbeGroups::check_alignment(const ProbeGroup& group) {
  if (group.alignment == 1) return;
  const i32 distance = (group.aligned - group.low) % group.alignment;
  if (distance != 0) em_.a.lea(kScratch1, x86::ptr(kScratch0, distance));
  em_.a.test((distance != 0 ? kScratch1 : kScratch0).r8(), group.alignment - 1);
  em_.a.jnz(slow_paths_.slow());
}

/// Not with addresses of 32 bits: sums of registers may have more.
bool ProbeGroups::by_distance(const ProbeGroup& group) const {
  return regs_.pinned(group.base) && group.index == cpu::kGprZero && group.seg == cpu::kSegFlat &&
         em_.word_bytes() == 8;
}

Mem ProbeGroups::operand(const PlannedInsn& planned, unsigned bytes) const {
  const ProbeGroup& group = group_of(planned.group);
  if (by_distance(group))
    return x86::ptr(regs_.reg(group.base, 8), kGroupReg, 0, planned.disp + owed_, bytes);
  return x86::ptr(kGroupReg, planned.disp + planned.shift - group.low, bytes);
}

unsigned ProbeGroups::last_insn() const {
  return open_ < 0 ? em_.index : std::max<unsigned>(em_.index, group_of(open_).last);
}

void ProbeGroups::end_insn() {
  if (open_ >= 0 && group_of(open_).last <= em_.index) close();
}

}  // namespace reprise::jit::x64
