// Operands: guest addresses, probes of the first-level TLB, groups that share one.
#include <algorithm>
#include <cstddef>

#include "common/check.h"
#include "jit/x64/block_emitter.h"

namespace reprise::jit::x64 {

using cpu::Insn;
using mmu::Access;
using mmu::TlbEntry;

bool BlockEmitter::plain_address(const Insn& in) {
  // A displacement relative to the page may be longer than the one relative to rip.
  const bool absolute = in.base / 8 == cpu::kGprZero && in.index / 8 == cpu::kGprZero;
  return absolute || in.addr_shift != 0 || in.disp == static_cast<i32>(in.disp);
}

bool BlockEmitter::plain_memory(const Insn& in) { return plain_address(in) && !in.has(Insn::kAlignCheck); }

Mem BlockEmitter::address(const Insn& in) {
  const unsigned base = in.base / 8;
  const unsigned index = in.index / 8;
  const bool has_base = base != cpu::kGprZero;
  const bool has_index = index != cpu::kGprZero;
  if (!has_base && !has_index) {
    a.mov(kScratch0, in.disp);
    return x86::ptr(kScratch0);
  }
  const i32 disp = static_cast<i32>(in.disp);
  if (!has_index) return x86::ptr(fetched(base, 8, kScratch0), disp);
  const Gp index_reg = fetched(index, 8, kScratch1);
  if (!has_base) {
    a.mov(kScratch0, in.disp);
    return x86::ptr(kScratch0, index_reg, in.scale);
  }
  return x86::ptr(fetched(base, 8, kScratch0), index_reg, in.scale, disp);
}

void BlockEmitter::add_segment(u8 seg, Access access, unsigned bytes) {
  if (seg == cpu::kSegFlat) return;
  if (mode().is64()) {
    a.add(kScratch0, segment_base(seg));
    return;
  }
  const cpu::SegmentReach& reach = cpu_.reach[seg];
  const u64& end = access == Access::Write ? reach.write_end : reach.read_end;
  a.lea(kScratch1, x86::ptr(kScratch0, static_cast<i32>(bytes)));
  a.cmp(kScratch1, cpu_field(offset_in(cpu_, &end), 8));
  a.ja(slow());
  a.add(kScratch0.r32(), segment_base(seg, 4));
}

i32 BlockEmitter::tlb(Access access, std::size_t field) const {
  const TlbEntry& entry = cpu_.mmu.tlb_array(view_, access).entries[0];
  return static_cast<i32>(offset_in(cpu_, &entry) - kCpuBias + static_cast<i64>(field));
}

void BlockEmitter::tlb_index() {
  static_assert(sizeof(TlbEntry) == 32);
  constexpr unsigned kShift = kPageShift - 5;
  if (context_.bmi2) {
    a.rorx(kScratch1, kScratch0, kShift);
  } else {
    a.mov(kScratch1, kScratch0);
    a.shr(kScratch1, kShift);
  }
  a.and_(kScratch1.r32(), (mmu::kTlbEntries - 1) * sizeof(TlbEntry));
}

void BlockEmitter::probe_scratch(const Label& retry, Access access, unsigned bytes, Extent extent) {
  ++probes_;
  tlb_index();
  a.sub(kScratch0, x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(access, offsetof(TlbEntry, tag_linear))));
  a.cmp(kScratch0, static_cast<i32>(kPageBytes - bytes));
  if (context_.options.has(Pass::SecondLevel)) {
    const bool store = access == Access::Write && extent == Extent::Operand;
    misses_.push_back({a.newLabel(), retry, a.newLabel(), slow(), access, store ? bytes : 0});
    a.ja(misses_.back().entry);
    a.bind(misses_.back().hit);
  } else {
    a.ja(slow());
  }
}

Mem BlockEmitter::probe(const Mem& at, unsigned address_bytes, u8 seg, Access access, unsigned bytes,
                        unsigned alignment, Extent extent) {
  const CountAs probe(a, HostInsn::Probe);
  probe_address(at, address_bytes, seg, access, bytes, alignment, extent);
  a.mov(kScratch1, x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(access, offsetof(TlbEntry, host_page))));
  return x86::ptr(kScratch1, kScratch0, 0, 0, bytes);
}

void BlockEmitter::probe_address(const Mem& at, unsigned address_bytes, u8 seg, Access access, unsigned bytes,
                                 unsigned alignment, Extent extent) {
  save_flags();
  // A repeated probe finds its address in scratch 0.
  const Label retry = a.newLabel();
  a.lea(scratch0(std::max(address_bytes, 4u)), at);
  if (address_bytes == 2) a.movzx(scratch0(4), scratch0(2));
  add_segment(seg, access, bytes);
  if (alignment > 1) {
    a.test(kScratch0.r8(), alignment - 1);
    a.jnz(slow());
  }
  a.bind(retry);
  probe_scratch(retry, access, bytes, extent);
  flags_lost();
}

Mem BlockEmitter::probe(const Insn& in, Access access, unsigned bytes, unsigned alignment) {
  const CountAs probing(a, HostInsn::Probe);
  const PlannedInsn& planned = plan_.insns[index_];
  if (planned.group < 0 || planned.stack || !open_group(planned)) {
    const unsigned base = in.base / 8;
    const unsigned address_bytes = (64 - in.addr_shift) / 8;
    if (in.index / 8 != cpu::kGprZero || !pinned(base) || in.seg != cpu::kSegFlat || address_bytes != 8)
      return probe(address(in), address_bytes, in.seg, access, bytes, alignment);
    // The access does not wait for the arithmetic of the probe, only for what it loads.
    probe_address(address(in), address_bytes, in.seg, access, bytes, alignment, Extent::Operand);
    a.mov(kScratch1, x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(access, offsetof(TlbEntry, delta))));
    return x86::ptr(reg(base, 8), kScratch1, 0, static_cast<i32>(in.disp), bytes);
  }
  CHECK(access != Access::Write || plan_.groups[static_cast<unsigned>(planned.group)].writes);
  if (alignment > 1) {
    save_flags();
    load_base(in.base / 8, planned.disp);
    add_segment(in.seg, access, bytes);
    a.test(kScratch0.r8(), alignment - 1);
    a.jnz(slow());
    flags_lost();
  }
  return group_operand(planned, bytes);
}

void BlockEmitter::read_tsc() {
  save_flags();
  a.mov(kScratch1, x86::ptr(x86::rsp, offsetof(Frame, context)));
  a.mov(kScratch0, cpu_field(offset_in(cpu_, &cpu_.state.tsc_offset), 8));
  a.add(kScratch0, x86::ptr(kScratch1, offsetof(JitContext, target_ns)));
  a.sub(kScratch0, kBudgetReg);
  a.sub(kScratch0, block_.count - index_);
  flags_lost();
}

Mem BlockEmitter::probe_stack(unsigned gpr, i32 disp, Access access, unsigned bytes) {
  const CountAs probing(a, HostInsn::Probe);
  const PlannedInsn& planned = plan_.insns[index_];
  if (planned.group >= 0 && planned.stack && open_group(planned)) return group_operand(planned, bytes);
  const u8 seg = mode().has(cpu::ModeKey::kFlatData) ? u8{cpu::kSegFlat} : u8{cpu::SS};
  return probe(x86::ptr(fetched(gpr, 8, kScratch0), disp), stack_bytes(), seg, access, bytes);
}

/// Scratch 0: `disp` from the guest register, without its segment's base.
void BlockEmitter::load_base(unsigned gpr, i32 disp) {
  const Gp linear = scratch0(word_bytes());
  if (gpr == cpu::kGprZero) {
    a.emit(x86::Inst::kIdMov, linear,
           word_bytes() == 8 ? asmjit::Imm(i64{disp}) : asmjit::Imm(static_cast<u32>(disp)));
  } else if (pinned(gpr)) {
    a.lea(linear, x86::ptr(reg(gpr, 8), disp));
  } else {
    a.mov(linear, slot(gpr, word_bytes()));
    if (disp != 0) a.lea(linear, x86::ptr(kScratch0, disp));
  }
}

/// Probes for all of the group unless that is done already. False: too little is left of it.
bool BlockEmitter::open_group(const PlannedInsn& planned) {
  if (groups_off_) return false;
  if (open_group_ == planned.group) return true;
  const ProbeGroup& group = plan_.groups[static_cast<unsigned>(planned.group)];
  if (index_ == group.last) return false;
  open_group_ = planned.group;
  const Access access = group.writes ? Access::Write : Access::Read;
  save_flags();
  load_base(group.base, group.low - planned.shift);
  add_segment(group.seg, access, static_cast<unsigned>(group.high - group.low));
  const Label retry = a.newLabel();
  a.bind(retry);
  probe_scratch(retry, access, static_cast<unsigned>(group.high - group.low), Extent::Operand);
  if (by_distance(group)) {
    a.mov(kGroupReg, x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(access, offsetof(TlbEntry, delta))));
  } else {
    a.mov(kGroupReg, x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(access, offsetof(TlbEntry, host_page))));
    a.add(kGroupReg, kScratch0);
  }
  flags_lost();
  return true;
}

/// Not with addresses of 32 bits: sums of registers may have more.
bool BlockEmitter::by_distance(const ProbeGroup& group) const {
  return pinned(group.base) && group.seg == cpu::kSegFlat && word_bytes() == 8;
}

Mem BlockEmitter::group_operand(const PlannedInsn& planned, unsigned bytes) const {
  const ProbeGroup& group = plan_.groups[static_cast<unsigned>(planned.group)];
  if (by_distance(group)) return x86::ptr(reg(group.base, 8), kGroupReg, 0, planned.disp, bytes);
  return x86::ptr(kGroupReg, planned.disp + planned.shift - group.low, bytes);
}

Mem BlockEmitter::one_register(const Mem& m) {
  const auto uses = [&](const Gp& reg) {
    return (m.hasBaseReg() && m.baseId() == reg.id()) || (m.hasIndexReg() && m.indexId() == reg.id());
  };
  if (!uses(kScratch0)) return m;
  const CountAs move(a, HostInsn::Move);
  a.lea(kScratch1, m);
  return x86::ptr(kScratch1, 0, m.size());
}

}  // namespace reprise::jit::x64
