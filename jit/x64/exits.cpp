#include "jit/x64/exits.h"

#include <algorithm>
#include <cstddef>

#include "common/check.h"

namespace reprise::jit::x64 {

using mmu::Access;
using mmu::TlbEntry;

void Exits::begin() {
  out_of_budget_ = a_.newLabel();
  jump_miss_ = a_.newLabel();
  const CountAs budget(a_, HostInsn::Budget);
  a_.sub(kBudgetReg, em_.unit.count());
  a_.jb(out_of_budget_);
}

void Exits::check_target() {
  const CountAs lookup(a_, HostInsn::Lookup);
  if (em_.segmented()) {
    flags_.save();
    a_.cmp(kScratch0, regs_.code_end());
    a_.jae(slow_paths_.slow());
    flags_.lost();
  }
  if (em_.word_bytes() != 8) return;
  flags_.save();
  a_.mov(kScratch1, kScratch0);
  a_.shl(kScratch1, 16);
  a_.sar(kScratch1, 16);
  a_.cmp(kScratch1, kScratch0);
  a_.jne(slow_paths_.slow());
  flags_.lost();
}

void Exits::look_up_beside_group() { look_up(slow_paths_.slow(), PageOfTarget::Unknown); }

void Exits::look_up(const Label& miss, PageOfTarget page) {
  const CountAs lookup(a_, HostInsn::Lookup);
  if (!em_.has(Pass::Jumps)) {
    if (miss.id() != jump_miss_.id()) check_target();
    return;
  }
  if (em_.segmented()) addresses_.add_code_base();
  const Label retry = a_.newLabel();
  a_.bind(retry);
  tlb_.load_index();
  const Mem tag = tlb_.entry(Access::Fetch, offsetof(TlbEntry, tag_linear));
  if (page == PageOfTarget::InGroupRegister) {
    a_.mov(kGroupReg, tag);
    a_.sub(kScratch0, kGroupReg);
  } else {
    a_.sub(kScratch0, tag);
  }
  a_.cmp(kScratch0, static_cast<i32>(kPageBytes));
  if (em_.has(Pass::SecondLevel) && miss.id() != jump_miss_.id()) {
    a_.jae(tlb_.fetch_miss(retry, miss));
  } else {
    a_.jae(miss);
  }
  // Tables of code addresses by offset in the page: jit/engine/jump_tables.h.
  a_.mov(kScratch1, tlb_.entry(Access::Fetch, offsetof(TlbEntry, delta)));
  a_.mov(kScratch1.r32(), x86::dword_ptr(kScratch1, kScratch0, 2));
  flags_.lost();
}

void Exits::go_to_found() {
  const CountAs lookup(a_, HostInsn::Lookup);
  ended_ = true;
  if (!em_.has(Pass::Jumps)) {
    a_.mov(regs_.rip(), kScratch0);
    a_.jmp(em_.address_of(em_.context.stubs.leave));
    return;
  }
  if (em_.segmented()) a_.sub(kGroupReg, regs_.segment_base(cpu::CS));
  a_.mov(regs_.page_base(), kGroupReg);
  if (em_.segmented()) a_.add(kGroupReg, regs_.segment_base(cpu::CS));
  a_.jmp(kScratch1);
}

void Exits::go_to_found_in(const asmjit::Operand& code) {
  const CountAs lookup(a_, HostInsn::Lookup);
  ended_ = true;
  a_.mov(regs_.page_base(), kGroupReg);
  a_.emit(x86::Inst::kIdJmp, code);
}

void Exits::go_to_scratch() {
  flags_.save();
  look_up(jump_miss_);
  go_to_found();
}

/// After a jump that ends in a rel32.
void Exits::edge_to(u64 offset, const Label& stub) {
  exits_.push_back({a_.offset(), stub, static_cast<u16>(offset), 0, 0, {}, em_.cold_distance != 0});
}

/// How many instructions the block at `offset` in this page has, if it is known, does not care for the flags
/// it is entered with, and an exit instead could still make them again. Else 0.
u32 Exits::charge_without_flags(u64 offset) const {
  if (!em_.has(Pass::Flags) || flags_.in_rax() || flags_.producer() == nullptr || offset >= kPageBytes)
    return 0;
  const SuccessorHint* target = em_.unit.successor(offset);
  return target != nullptr && target->flags_dead ? target->insns : 0;
}

void Exits::go_to_charged(u64 offset, u32 charge) {
  if (charge == 0) return go_to(offset);
  ended_ = true;
  const Label stub = a_.newLabel();
  {
    const CountAs budget(a_, HostInsn::Budget);
    a_.sub(kBudgetReg, charge);
    a_.long_().jb(stub);
  }
  const CountAs jump(a_, HostInsn::EndJump);
  a_.long_().jmp(stub);
  exits_.push_back({a_.offset(), stub, static_cast<u16>(offset), 0, charge, *flags_.producer(), false});
}

void Exits::branch_on_flags(x86::CondCode condition, u64 taken, u64 next) {
  flags_.need();
  const u32 taken_charge = charge_without_flags(taken);
  const u32 next_charge = charge_without_flags(next);
  if (taken_charge == 0 && next_charge == 0) {
    flags_.save();
    return branch(condition, taken, next);
  }
  const Label out = a_.newLabel();
  a_.long_().j(condition, out);
  a_.begin_piece();
  go_to_charged(next, next_charge);
  flags_.made();
  a_.bind(out);
  a_.begin_piece();
  go_to_charged(taken, taken_charge);
}

void Exits::leave_on_flags(x86::CondCode condition, u64 taken) {
  flags_.need();
  // Slow paths that repeat the jump leave by the same way.
  auto exit = std::ranges::find(side_exits_, em_.index, &SideExit::index);
  if (exit == side_exits_.end()) exit = side_exits_.insert(exit, {em_.index, taken, Label(), Label()});
  Label& out = flags_.in_rax() ? exit->flags_in_rax : exit->flags_in_host;
  if (!out.isValid()) out = a_.newLabel();
  a_.long_().j(condition, out);
  if (em_.cold_distance == 0) a_.begin_piece();
}

/// Gives back the charge of what does not run.
void Exits::finish(const SideExit& exit) {
  if (exit.flags_in_host.isValid()) {
    a_.bind(exit.flags_in_host);
    emit_save_flags(a_);
  }
  if (exit.flags_in_rax.isValid()) a_.bind(exit.flags_in_rax);
  a_.add(kBudgetReg, em_.unit.count() - exit.index - 1);
  if (exit.taken < kPageBytes) {
    const Label stub = a_.newLabel();
    a_.long_().jmp(stub);
    edge_to(exit.taken, stub);
  } else {
    regs_.load_rip(static_cast<i32>(exit.taken));
    look_up(jump_miss_);
    go_to_found();
  }
}

void Exits::branch(x86::CondCode condition, u64 taken, u64 next) {
  const Label out = a_.newLabel();
  a_.long_().j(condition, out);
  if (taken < kPageBytes) {
    edge_to(taken, out);
    a_.begin_piece();
    go_to(next);
  } else {
    a_.begin_piece();
    go_to(next);
    a_.bind(out);
    a_.begin_piece();
    jump_to(taken);
  }
}

void Exits::load_jump_target(u64 offset) {
  const CountAs lookup(a_, HostInsn::Lookup);
  flags_.save();
  regs_.load_rip(static_cast<i32>(offset));
  if (em_.unit.insns[em_.index].operand_bytes == 2) a_.movzx(scratch0(4), scratch0(2));
  check_target();
}

void Exits::jump_to(u64 offset) {
  if (!em_.segmented() || offset < kPageBytes) return go_to(offset);
  load_jump_target(offset);
  go_to_scratch();
}

void Exits::go_to(u64 offset) {
  flags_.save();
  ended_ = true;
  if (offset < kPageBytes) {
    const Label stub = a_.newLabel();
    const CountAs jump(a_, HostInsn::EndJump);
    a_.long_().jmp(stub);
    edge_to(offset, stub);
    return;
  }
  const CountAs lookup(a_, HostInsn::Lookup);
  const i64 distance = static_cast<i64>(offset);
  CHECK(distance == static_cast<i32>(distance));
  regs_.load_rip(static_cast<i32>(distance));
  go_to_scratch();
}

void Exits::go_to_view(mmu::View view, u64 offset) {
  const CountAs lookup(a_, HostInsn::Lookup);
  ended_ = true;
  regs_.load_rip(static_cast<i32>(offset));
  a_.jmp(em_.address_of(em_.context.stubs.lookup[0][static_cast<unsigned>(view)]));
}

void Exits::finish() {
  a_.bind(jump_miss_);
  a_.jmp(em_.address_of(em_.context.stubs.jump_miss[em_.segmented()][em_.view_index()]));

  a_.bind(out_of_budget_);
  a_.add(kBudgetReg, em_.unit.count());
  regs_.set_rip(em_.unit.insns[0].offset);
  a_.jmp(em_.address_of(em_.context.stubs.leave));

  for (const SideExit& exit : side_exits_) finish(exit);
  CHECK(exits_.size() <= em_.unit.most_exits());
  for (std::size_t i = 0; i < exits_.size(); ++i) {
    PendingExit& pending = exits_[i];
    pending.stub_begin = a_.offset();
    a_.bind(pending.stub);
    if (pending.charge != 0) {
      a_.add(kBudgetReg, pending.charge);
      a_.emit(pending.producer.id, pending.producer.first, pending.producer.second);
      emit_save_flags(a_);
    }
    regs_.set_rip(pending.page_offset);
    a_.mov(kScratch1.r32(), edge_id(em_.unit.number, i));
    a_.jmp(em_.address_of(em_.context.stubs.leave_edge));
  }
}

void Exits::place_exits(HostCode& code) const {
  for (const PendingExit& pending : exits_) {
    const u8* const code_of_jump = pending.in_cold ? code.cold.data() : code.hot.data();
    code.exits.push_back({.jump = code_of_jump + pending.jump_end - 4,
                          .stub = code.cold.data() + pending.stub_begin,
                          .page_offset = pending.page_offset,
                          .charge = pending.charge});
  }
}

}  // namespace reprise::jit::x64
