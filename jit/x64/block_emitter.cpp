#include "jit/x64/block_emitter.h"

#include <algorithm>

#include "common/check.h"
#include "jit/vector_facts.h"
#include "jit/x64/integer_common.h"
#include "jit/x87_facts.h"

namespace reprise::jit::x64 {

void BlockEmitter::needs(u32 index, HostRegisters registers) {
  if (registers == HostRegisters::Xmm || registers == HostRegisters::Ymm) vectors_until_ = index + 1;
  if (registers == HostRegisters::Ymm) wide_ = true;
  if (registers == HostRegisters::X87) x87_until_ = index + 1;
}

void BlockEmitter::begin() {
  out_of_budget_ = a.newLabel();
  jump_miss_ = a.newLabel();
  call_handlers_ = a.newLabel();
  begin_piece();
  {
    const CountAs budget(a, HostInsn::Budget);
    a.sub(kBudgetReg, block_.count);
    a.jb(out_of_budget_);
  }
  if (segmented()) check_code_limit();
  if (block_.crosses_page()) check_second_page();
  body_begin_ = a.offset();
  begin_piece();
  check_owned(0);
}

void BlockEmitter::begin_piece() {
  CountedCode* const counted = native_.counted.get();
  if (counted == nullptr) return;
  CHECK(counted->used < CountedCode::kMaxPieces);
  CountedPiece& piece = counted->pieces[counted->used++];
  a.count_in(nullptr);
  a.mov(kGroupReg, reinterpret_cast<u64>(&piece.runs));
  a.push(x86::rcx);
  a.mov(x86::rcx, x86::qword_ptr(kGroupReg));
  a.lea(x86::rcx, x86::ptr(x86::rcx, 1));
  a.mov(x86::qword_ptr(kGroupReg), x86::rcx);
  a.pop(x86::rcx);
  a.count_in(&piece);
}

/// The code, and where it jumps to in its page, must lie in the segment without a wrap.
void BlockEmitter::check_code_limit() {
  const CountAs lookup(a, HostInsn::Lookup);
  constexpr i32 kMaxInsnBytes = 15;
  const cpu::Insn& last = block_.insns[block_.count - 1];
  i32 low = block_.insns[0].offset;
  i32 high = last.length() != 0 ? last.next_offset : last.offset + kMaxInsnBytes;
  const bool jumps = relative_branch(last) && last.imm < kPageBytes;
  if (jumps) {
    low = std::min(low, static_cast<i32>(last.imm));
    high = std::max(high, static_cast<i32>(last.imm) + 1);
  }
  refusals_.push_back({a.newLabel(), 0});
  const Label& refuse = refusals_.back().entry;
  a.mov(kScratch0, slot(cpu::kGprPageBase, 8));
  a.lea(kScratch1, x86::ptr(kScratch0, high));
  a.cmp(kScratch1, cpu_field(offset_in(cpu_, &cpu_.code_end), 8));
  a.ja(refuse);
  if (jumps && last.operand_bytes == 2) {
    a.cmp(kScratch1, 0x10000);
    a.ja(refuse);
  }
  if (low < block_.insns[0].offset) {
    a.add(kScratch0, low);
    a.js(refuse);
  }
}

/// The page after this one must be the physical one whose bytes were decoded.
void BlockEmitter::check_second_page() {
  const CountAs lookup(a, HostInsn::Lookup);
  refusals_.push_back({a.newLabel(), 0});
  const Label& refuse = refusals_.back().entry;
  a.mov(kScratch0, slot(cpu::kGprPageBase, 8));
  a.lea(scratch0(word_bytes()), x86::ptr(kScratch0, static_cast<i32>(kPageBytes)));
  if (segmented()) add_code_base();
  tlb_index();
  const auto field = [&](std::size_t offset) {
    return x86::qword_ptr(kCpuReg, kScratch1, 0, tlb(mmu::Access::Fetch, offset));
  };
  a.cmp(kScratch0, field(offsetof(mmu::TlbEntry, tag_linear)));
  a.jne(refuse);
  a.mov(kScratch0, block_.second_phys);
  a.cmp(kScratch0, field(offsetof(mmu::TlbEntry, phys_page)));
  a.jne(refuse);
}

void BlockEmitter::check_owned(u32 next) {
  const CountAs ownership(a, HostInsn::Ownership);
  const auto pending = [&](const u8* stub) {
    const Label entry = a.newLabel();
    const Label back = a.newLabel();
    acquires_.push_back({entry, back, stub, next});
    return acquires_.back();
  };
  if (next < vectors_until_) {
    const PendingAcquire acquire = pending(wide_ ? context_.stubs.acquire_ymm : context_.stubs.acquire_xmm);
    a.cmp(x86::byte_ptr(x86::rsp, offsetof(Frame, owned_vectors)),
          static_cast<i32>(wide_ ? kOwnedYmm : kOwnedXmm));
    a.jb(acquire.entry);
    a.bind(acquire.back);
  }
  if (next < x87_until_) {
    const PendingAcquire acquire = pending(context_.stubs.acquire_x87);
    a.cmp(x86::byte_ptr(x86::rsp, offsetof(Frame, owned_x87)), 0);
    a.je(acquire.entry);
    a.bind(acquire.back);
  }
}

void BlockEmitter::acquire(u32 next) {
  if (next < vectors_until_) {
    a.call(address_of(wide_ ? context_.stubs.acquire_ymm : context_.stubs.acquire_xmm));
    refuse_on_carry(next);
  }
  if (next < x87_until_) {
    a.call(address_of(context_.stubs.acquire_x87));
    refuse_on_carry(next);
  }
}

void BlockEmitter::refuse_on_carry(u32 next) {
  refusals_.push_back({a.newLabel(), next});
  a.jc(refusals_.back().entry);
}

// --- Registers ---

Gp BlockEmitter::fetched(unsigned gpr, unsigned bytes, const Gp& scratch) {
  if (pinned(gpr)) return reg(gpr, bytes);
  const CountAs move(a, HostInsn::Move);
  const Gp value = host_gp(scratch.id(), bytes);
  // Loading the whole register is never slower and avoids a false dependency.
  a.mov(host_gp(scratch.id(), 8), slot(gpr, 8));
  return value;
}

void BlockEmitter::assign(unsigned gpr, unsigned bytes, const Gp& value) {
  const CountAs move(a, HostInsn::Move);
  if (pinned(gpr)) {
    a.mov(reg(gpr, bytes), value);
  } else if (bytes == 4) {
    // Whoever made a 32-bit value in a register cleared the rest of it.
    a.mov(slot(gpr, 8), host_gp(value.id(), 8));
  } else if (bytes == 8) {
    a.mov(slot(gpr, 8), value);
  } else {
    // All of the slot is stored: a wider load soon after a narrow store would wait for it to reach the cache.
    const Gp& whole = value.id() == kScratch1.id() ? kScratch0 : kScratch1;
    a.mov(whole, slot(gpr, 8));
    a.mov(host_gp(whole.id(), bytes), value);
    a.mov(slot(gpr, 8), whole);
  }
}

// --- Flags ---

void BlockEmitter::save_flags() {
  if (in_rax_) return;
  const CountAs flags(a, HostInsn::Flags);
  a.lahf();
  a.seto(x86::al);
  in_rax_ = true;
}

void BlockEmitter::need_flags() {
  if (in_host_) return;
  const CountAs flags(a, HostInsn::Flags);
  a.cmp(x86::al, 0x81);  // OF := AL
  a.sahf();
  in_host_ = true;
}

// --- x87 instruction pointer ---

void BlockEmitter::fip_is(const cpu::Insn& in) {
  const bool last = index_ + 1 >= fip_until_;
  if (last) store_fip(in);
  fip_ = last ? nullptr : &in;
}

void BlockEmitter::store_fip(const cpu::Insn& in) {
  const CountAs ownership(a, HostInsn::Ownership);
  a.mov(kScratch0, slot(cpu::kGprPageBase, 8));
  a.lea(scratch0(word_bytes()), x86::ptr(kScratch0, in.offset));
  a.mov(cpu_field(offset_in(cpu_, &cpu_.state.x87.fip), 8), kScratch0);
}

// --- Slow paths ---

Label BlockEmitter::slow() {
  if (!slow_.isValid()) slow_ = a.newLabel();
  return slow_;
}

void BlockEmitter::begin_insn(unsigned index) {
  index_ = index;
  slow_ = Label();
  fip_before_ = fip_;
}

void BlockEmitter::end_insn() {
  if (slow_.isValid()) {
    // What an open group has not proved any more is the handlers' up to its last instruction.
    const unsigned last = open_group_ < 0 ? index_ : plan_.groups[static_cast<unsigned>(open_group_)].last;
    slow_paths_.push_back({index_, std::max(index_, last), slow_, a.newLabel(), false, fip_before_});
  }
  for (std::size_t i = slow_paths_bound_; i < slow_paths_.size(); ++i) {
    SlowPath& path = slow_paths_[i];
    if (path.last != index_) continue;
    a.bind(path.back);
    path.flags_in_host = in_host_;
    std::swap(path, slow_paths_[slow_paths_bound_++]);
  }
  if (open_group_ >= 0 && plan_.groups[static_cast<unsigned>(open_group_)].last <= index_) open_group_ = -1;
}

void BlockEmitter::call_stub(unsigned first, unsigned last) {
  const CountAs call(a, HostInsn::HandlerCall);
  a.mov(kScratch0.r32(), first | last << 16);
  a.call(call_handlers_);
}

void BlockEmitter::call_handler() {
  save_flags();
  if (fip_ != nullptr) store_fip(*fip_);
  fip_ = nullptr;
  call_stub(index_, index_);
  open_group_ = -1;
  in_rax_ = true;
  in_host_ = false;
  check_owned(index_ + 1);
}

bool BlockEmitter::worth_repeating(unsigned first, unsigned last) const {
  if (first == last) return false;
  for (unsigned i = first; i <= last; ++i) {
    const cpu::Insn& in = block_.insns[i];
    if (on_vector_registers(in) || x87_facts(in.mnemonic).x87) return true;
  }
  return false;
}

void BlockEmitter::finish_slow_path(const SlowPath& path, const std::function<void(u32 index)>& emit) {
  a.bind(path.entry);
  in_rax_ = true, in_host_ = false;
  if (worth_repeating(path.first, path.last)) {
    // The group as a whole missed, as where it crosses a page: each access with a probe of its own.
    fip_ = path.fip;
    const bool with_end = ended_ && path.last + 1 == block_.count;
    for (unsigned i = path.first; i <= path.last - (with_end ? 1 : 0); ++i) emit(i);
    save_flags();
    if (with_end) {
      if (fip_ != nullptr) store_fip(*fip_);
      call_stub(path.last, path.last);
      in_host_ = false;
    }
  } else {
    if (path.fip != nullptr) store_fip(*path.fip);
    call_stub(path.first, path.last);
    acquire(path.last + 1);
  }
  if (path.flags_in_host) need_flags();
  a.jmp(path.back);
}

void BlockEmitter::finish_cold(u64 distance, const std::function<void(u32 index)>& emit) {
  cold_distance_ = distance;
  a.count_in(nullptr);
  CHECK(slow_paths_bound_ == slow_paths_.size());
  groups_off_ = true;
  open_group_ = -1;
  // Repeated instructions have slow paths of their own.
  for (std::size_t i = 0; i < slow_paths_.size(); ++i) {
    const SlowPath path = slow_paths_[i];
    finish_slow_path(path, emit);
  }
  for (const Miss& miss : misses_) {
    a.bind(miss.entry);
    a.call(
        address_of(context_.stubs.refill[static_cast<unsigned>(view_)][static_cast<unsigned>(miss.access)]));
    a.jnz(miss.retry);
    if (miss.bytes != 0) {
      a.mov(kScratch1.r32(), miss.bytes);
      a.call(address_of(context_.stubs.store_beside_code[static_cast<unsigned>(view_)]));
      a.jnz(miss.hit);
    }
    a.jmp(miss.slow);
  }
  for (const PendingAcquire& pending : acquires_) {
    a.bind(pending.entry);
    a.call(address_of(pending.stub));
    refuse_on_carry(pending.next);
    a.jmp(pending.back);
  }
  for (const PendingRefusal& pending : refusals_) {
    a.bind(pending.entry);
    a.add(kBudgetReg, block_.count - pending.next);
    set_rip(block_.insns[pending.next].offset);
    a.jmp(address_of(context_.stubs.leave_interpret));
  }
  a.bind(call_handlers_);
  a.mov(kScratch1, reinterpret_cast<u64>(&block_));
  a.jmp(address_of(context_.stubs.call_handlers));
  finish_exits();
}

}  // namespace reprise::jit::x64
