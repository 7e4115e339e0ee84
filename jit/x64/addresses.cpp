#include "jit/x64/addresses.h"

namespace reprise::jit::x64 {

using mmu::Access;

namespace {

Mem without_base(const Gp& index, u8 scale, i64 disp) {
  return x86::ptr(static_cast<u64>(disp), index, scale);
}

}  // namespace

Mem Addresses::of(const cpu::Insn& in) {
  const unsigned base = in.base / 8;
  const unsigned index = in.index / 8;
  const bool has_base = base != cpu::kGprZero;
  const bool has_index = index != cpu::kGprZero;
  if (!has_base && !has_index) {
    em_.a.mov(kScratch0, in.disp);
    return x86::ptr(kScratch0);
  }
  const i32 disp = static_cast<i32>(in.disp);
  if (!has_index) return x86::ptr(regs_.fetched(base, 8, kScratch0), disp);
  const Gp index_reg = regs_.fetched(index, 8, kScratch1);
  if (!has_base) return without_base(index_reg, in.scale, in.disp);
  return x86::ptr(regs_.fetched(base, 8, kScratch0), index_reg, in.scale, disp);
}

void Addresses::load(unsigned gpr, i32 disp) {
  const unsigned bytes = em_.word_bytes();
  const Gp linear = scratch0(bytes);
  if (gpr == cpu::kGprZero) {
    em_.a.emit(x86::Inst::kIdMov, linear,
               bytes == 8 ? asmjit::Imm(i64{disp}) : asmjit::Imm(static_cast<u32>(disp)));
  } else if (regs_.pinned(gpr)) {
    load(linear, x86::ptr(regs_.reg(gpr, 8), disp));
  } else {
    em_.a.mov(linear, regs_.slot(gpr, bytes));
    if (disp != 0) em_.a.lea(linear, x86::ptr(kScratch0, disp));
  }
}

void Addresses::load(unsigned gpr, unsigned index, u8 scale, i32 disp) {
  if (index == cpu::kGprZero) return load(gpr, disp);
  const Gp index_reg = regs_.fetched(index, 8, kScratch1);
  em_.a.lea(scratch0(em_.word_bytes()),
            gpr == cpu::kGprZero ? without_base(index_reg, scale, disp)
                                 : x86::ptr(regs_.fetched(gpr, 8, kScratch0), index_reg, scale, disp));
}

void Addresses::load(const Gp& into, const Mem& at) {
  if (at.hasIndexReg() || !at.hasBaseReg() || at.offset() != 0)
    em_.a.lea(into, at);
  else if (at.baseId() != into.id() || into.size() != 8)  // a move takes no time on most hosts
    em_.a.mov(into, host_gp(at.baseId(), into.size()));
}

void Addresses::add_segment(u8 seg, Access access, unsigned bytes) {
  if (seg == cpu::kSegFlat) return;
  if (em_.mode().is64()) {
    em_.a.add(kScratch0, regs_.segment_base(seg));
    return;
  }
  const cpu::SegmentReach& reach = em_.context.cpu.reach[seg];
  const u64& end = access == Access::Write ? reach.write_end : reach.read_end;
  em_.a.lea(kScratch1, x86::ptr(kScratch0, static_cast<i32>(bytes)));
  em_.a.cmp(kScratch1, regs_.field(&end, 8));
  em_.a.ja(slow_paths_.slow());
  em_.a.add(kScratch0.r32(), regs_.segment_base(seg, 4));
}

}  // namespace reprise::jit::x64
