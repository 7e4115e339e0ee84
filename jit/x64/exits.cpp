// Ends of blocks: jumps within the page, which are linked; jumps elsewhere, which are looked up; the way back
// to the engine.
#include <cstddef>

#include "common/check.h"
#include "jit/x64/block_emitter.h"
#include "jit/x64/flag_liveness.h"

namespace reprise::jit::x64 {

using mmu::Access;
using mmu::TlbEntry;

void BlockEmitter::check_target() {
  const CountAs lookup(a, HostInsn::Lookup);
  if (segmented()) {
    save_flags();
    a.cmp(kScratch0, cpu_field(offset_in(cpu_, &cpu_.code_end), 8));
    a.jae(slow());
    flags_lost();
  }
  if (word_bytes() != 8) return;
  save_flags();
  a.mov(kScratch1, kScratch0);
  a.shl(kScratch1, 16);
  a.sar(kScratch1, 16);
  a.cmp(kScratch1, kScratch0);
  a.jne(slow());
  flags_lost();
}

void BlockEmitter::add_code_base() { a.add(kScratch0.r32(), segment_base(cpu::CS, 4)); }

void BlockEmitter::look_up(const Label& miss) {
  const CountAs lookup(a, HostInsn::Lookup);
  if (!context_.options.has(Pass::Jumps)) {
    if (miss.id() != jump_miss_.id()) check_target();
    return;
  }
  if (segmented()) add_code_base();
  const Label retry = a.newLabel();
  a.bind(retry);
  tlb_index();
  a.mov(kGroupReg, x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(Access::Fetch, offsetof(TlbEntry, tag_linear))));
  a.sub(kScratch0, kGroupReg);
  a.cmp(kScratch0, static_cast<i32>(kPageBytes));
  if (context_.options.has(Pass::SecondLevel) && miss.id() != jump_miss_.id()) {
    misses_.push_back({a.newLabel(), retry, Label(), miss, Access::Fetch, 0});
    a.jae(misses_.back().entry);
  } else {
    a.jae(miss);
  }
  // Tables of code addresses by offset in the page: jit/jump_tables.h.
  a.mov(kScratch1, x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(Access::Fetch, offsetof(TlbEntry, delta))));
  a.mov(kScratch1.r32(), x86::dword_ptr(kScratch1, kScratch0, 2));
  flags_lost();
}

void BlockEmitter::go_to_found() {
  const CountAs lookup(a, HostInsn::Lookup);
  ended_ = true;
  if (!context_.options.has(Pass::Jumps)) {
    a.mov(rip(), kScratch0);
    a.jmp(address_of(context_.stubs.leave));
    return;
  }
  if (segmented()) a.sub(kGroupReg, segment_base(cpu::CS));
  a.mov(slot(cpu::kGprPageBase, 8), kGroupReg);
  if (segmented()) a.add(kGroupReg, segment_base(cpu::CS));
  a.jmp(kScratch1);
}

void BlockEmitter::go_to_scratch() {
  save_flags();
  look_up(jump_miss_);
  go_to_found();
}

/// After a jump that ends in a rel32.
void BlockEmitter::edge_to(u64 offset, const Label& stub) {
  edges_.push_back({a.offset(), stub, static_cast<u16>(offset), 0, 0, {}});
}

/// How many instructions the block at `offset` in this page has, if it is known, does not care for the flags
/// it is entered with, and an exit instead could still make them again. Else 0.
u32 BlockEmitter::charge_without_flags(u64 offset) const {
  if (!context_.options.has(Pass::Flags) || in_rax_ || offset >= kPageBytes) return 0;
  if (producer_.id == 0 || producer_.index + 1 != index_) return 0;
  const u64 phys = align_down(block_.phys, kPageBytes) + offset;
  const cpu::Block* target = context_.blocks.find(phys, block_.mode);
  return target != nullptr && overwrites_flags_first(*target, context_.options.passes) ? target->count : 0;
}

void BlockEmitter::go_to_charged(u64 offset, u32 charge) {
  if (charge == 0) return go_to(offset);
  ended_ = true;
  const Label stub = a.newLabel();
  {
    const CountAs budget(a, HostInsn::Budget);
    a.sub(kBudgetReg, charge);
    a.long_().jb(stub);
  }
  const CountAs jump(a, HostInsn::EndJump);
  a.long_().jmp(stub);
  edges_.push_back({a.offset(), stub, static_cast<u16>(offset), 0, charge, producer_});
}

void BlockEmitter::branch_on_flags(x86::CondCode condition, u64 taken, u64 next) {
  need_flags();
  const u32 taken_charge = charge_without_flags(taken);
  const u32 next_charge = charge_without_flags(next);
  if (taken_charge == 0 && next_charge == 0) {
    save_flags();
    return branch(condition, taken, next);
  }
  const Label out = a.newLabel();
  a.long_().j(condition, out);
  begin_piece();
  go_to_charged(next, next_charge);
  in_host_ = true;
  in_rax_ = false;
  a.bind(out);
  begin_piece();
  go_to_charged(taken, taken_charge);
}

void BlockEmitter::branch(x86::CondCode condition, u64 taken, u64 next) {
  const Label out = a.newLabel();
  a.long_().j(condition, out);
  if (taken < kPageBytes) {
    edge_to(taken, out);
    begin_piece();
    go_to(next);
  } else {
    begin_piece();
    go_to(next);
    a.bind(out);
    begin_piece();
    jump_to(taken);
  }
}

void BlockEmitter::load_jump_target(u64 offset) {
  const CountAs lookup(a, HostInsn::Lookup);
  save_flags();
  a.mov(kScratch0, slot(cpu::kGprPageBase, 8));
  a.lea(scratch0(4), x86::ptr(kScratch0, static_cast<i32>(offset)));
  if (block_.insns[index_].operand_bytes == 2) a.movzx(scratch0(4), scratch0(2));
  check_target();
}

void BlockEmitter::jump_to(u64 offset) {
  if (!segmented() || offset < kPageBytes) return go_to(offset);
  load_jump_target(offset);
  go_to_scratch();
}

void BlockEmitter::go_to(u64 offset) {
  save_flags();
  ended_ = true;
  if (offset < kPageBytes) {
    const Label stub = a.newLabel();
    const CountAs jump(a, HostInsn::EndJump);
    a.long_().jmp(stub);
    edge_to(offset, stub);
    return;
  }
  const CountAs lookup(a, HostInsn::Lookup);
  a.mov(kScratch0, slot(cpu::kGprPageBase, 8));
  const i64 distance = static_cast<i64>(offset);
  CHECK(distance == static_cast<i32>(distance));
  a.lea(scratch0(word_bytes()), x86::ptr(kScratch0, static_cast<i32>(distance)));
  go_to_scratch();
}

void BlockEmitter::set_rip(u16 page_offset) {
  a.mov(kScratch0, slot(cpu::kGprPageBase, 8));
  a.lea(scratch0(word_bytes()), x86::ptr(kScratch0, page_offset));
  a.mov(rip(), kScratch0);
}

void BlockEmitter::finish_exits() {
  a.bind(jump_miss_);
  a.jmp(address_of(context_.stubs.jump_miss[segmented()][static_cast<unsigned>(view_)]));

  a.bind(out_of_budget_);
  a.add(kBudgetReg, block_.count);
  set_rip(block_.insns[0].offset);
  a.jmp(address_of(context_.stubs.leave));

  CHECK(edges_.size() <= NativeBlock::kMaxEdges);
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    PendingEdge& pending = edges_[i];
    pending.stub_begin = a.offset();
    a.bind(pending.stub);
    if (pending.charge != 0) {
      a.add(kBudgetReg, pending.charge);
      a.emit(pending.producer.id, pending.producer.first, pending.producer.second);
      a.lahf();
      a.seto(x86::al);
    }
    set_rip(pending.page_offset);
    a.mov(kScratch1, reinterpret_cast<u64>(&native_.edge[i]));
    a.jmp(address_of(context_.stubs.leave_edge));
  }
}

void BlockEmitter::place_edges(NativeBlock& native) const {
  for (const PendingEdge& pending : edges_) {
    Edge& edge = native.edge[native.edges++];
    edge.owner = &native;
    edge.jump = native.code + pending.jump_end - 4;
    edge.stub = native.cold_code + pending.stub_begin;
    edge.page_offset = pending.page_offset;
    edge.charge = pending.charge;
  }
}

}  // namespace reprise::jit::x64
