#include "jit/x64/block_emitter.h"

#include <cstddef>

#include "common/check.h"

namespace reprise::jit::x64 {

using cpu::Insn;

void BlockEmitter::needs(u32 index, HostRegisters registers) {
  if (registers == HostRegisters::Xmm || registers == HostRegisters::Ymm) vectors_until_ = index + 1;
  if (registers == HostRegisters::Ymm) wide_ = true;
  if (registers == HostRegisters::X87) x87_until_ = index + 1;
}

void BlockEmitter::begin() {
  out_of_budget_ = a.newLabel();
  a.sub(kBudgetReg, block_.count);
  a.jb(out_of_budget_);
  check_owned(0);
}

void BlockEmitter::check_owned(u32 next) {
  const auto pending = [&](const u8* stub) {
    const Label entry = a.newLabel();
    const Label back = a.newLabel();
    acquires_.push_back({entry, back, stub, next});
    return acquires_.back();
  };
  if (next < vectors_until_) {
    const PendingAcquire acquire = pending(wide_ ? stubs_.acquire_ymm : stubs_.acquire_xmm);
    a.cmp(x86::byte_ptr(x86::rsp, offsetof(Frame, owned_vectors)), static_cast<i32>(wide_ ? kOwnedYmm : kOwnedXmm));
    a.jb(acquire.entry);
    a.bind(acquire.back);
  }
  if (next < x87_until_) {
    const PendingAcquire acquire = pending(stubs_.acquire_x87);
    a.cmp(x86::byte_ptr(x86::rsp, offsetof(Frame, owned_x87)), 0);
    a.je(acquire.entry);
    a.bind(acquire.back);
  }
}

void BlockEmitter::acquire(u32 next) {
  if (next < vectors_until_) {
    a.call(reinterpret_cast<u64>(wide_ ? stubs_.acquire_ymm : stubs_.acquire_xmm));
    refuse_on_carry(next);
  }
  if (next < x87_until_) {
    a.call(reinterpret_cast<u64>(stubs_.acquire_x87));
    refuse_on_carry(next);
  }
}

void BlockEmitter::refuse_on_carry(u32 next) {
  refusals_.push_back({a.newLabel(), next});
  a.jc(refusals_.back().entry);
}

Gp BlockEmitter::fetched(unsigned gpr, unsigned bytes, const Gp& scratch) {
  if (pinned(gpr)) return reg(gpr, bytes);
  const Gp value = host_gp(scratch.id(), bytes);
  // Loading the whole register is never slower and avoids a false dependency.
  a.mov(host_gp(scratch.id(), 8), slot(gpr, 8));
  return value;
}

void BlockEmitter::assign(unsigned gpr, unsigned bytes, const Gp& value) {
  if (pinned(gpr)) {
    a.mov(reg(gpr, bytes), value);
  } else if (bytes == 4) {
    // Whoever made a 32-bit value in a register cleared the rest of it.
    a.mov(slot(gpr, 8), host_gp(value.id(), 8));
  } else {
    a.mov(slot(gpr, bytes), value);
  }
}

bool BlockEmitter::encodable_address(const Insn& in) {
  // A displacement relative to the page may be longer than the one relative to rip.
  const bool absolute = in.base / 8 == cpu::kGprZero && in.index / 8 == cpu::kGprZero;
  return absolute || in.disp == static_cast<i32>(in.disp);
}

bool BlockEmitter::plain_address(const Insn& in) { return in.addr_shift == 0 && encodable_address(in); }

bool BlockEmitter::plain_memory(const Insn& in) { return plain_address(in) && !in.has(Insn::kCheckAddress); }

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

Mem BlockEmitter::probe(const Mem& at, u8 seg, mmu::Access access, unsigned bytes, unsigned alignment) {
  save_flags();
  const mmu::TlbEntry& entry = cpu_.mmu.tlb_array(view_, access).entries[0];
  const i32 tlb = static_cast<i32>(offset_in(cpu_, &entry) - kCpuBias);
  a.lea(kScratch0, at);
  if (seg != cpu::kSegFlat) a.add(kScratch0, cpu_field(offset_in(cpu_, &cpu_.state.seg[seg].base), 8));
  if (alignment > 1) {
    a.test(kScratch0.r8(), alignment - 1);
    a.jnz(slow());
  }
  a.mov(kScratch1, kScratch0);
  a.shr(kScratch1, kPageShift - 5);
  a.and_(kScratch1.r32(), (mmu::kTlbEntries - 1) * sizeof(mmu::TlbEntry));
  a.sub(kScratch0,
        x86::qword_ptr(kCpuReg, kScratch1, 0, tlb + static_cast<i32>(offsetof(mmu::TlbEntry, tag_linear))));
  a.cmp(kScratch0, static_cast<i32>(kPageBytes - bytes));
  a.ja(slow());
  a.mov(kScratch1,
        x86::qword_ptr(kCpuReg, kScratch1, 0, tlb + static_cast<i32>(offsetof(mmu::TlbEntry, host_page))));
  flags_lost();
  return x86::ptr(kScratch1, kScratch0, 0, 0, bytes);
}

void BlockEmitter::save_flags() {
  if (in_rax_) return;
  a.lahf();
  a.seto(x86::al);
  in_rax_ = true;
}

void BlockEmitter::need_flags() {
  if (in_host_) return;
  a.add(x86::al, 0x7f);  // OF := AL
  a.sahf();
  a.seto(x86::al);
  in_host_ = true;
}

Label BlockEmitter::slow() {
  if (!slow_.isValid()) slow_ = a.newLabel();
  return slow_;
}

void BlockEmitter::end_insn() {
  if (!slow_.isValid()) return;
  const Label back = a.newLabel();
  a.bind(back);
  slow_paths_.push_back({insn_, slow_, back, in_host_, fip_before_});
}

void BlockEmitter::fip_is(const Insn& in) {
  const bool last = index_of(in) + 1 >= fip_until_;
  if (last) store_fip(in);
  fip_ = last ? nullptr : &in;
}

void BlockEmitter::store_fip(const Insn& in) {
  a.mov(kScratch0, slot(cpu::kGprPageBase, 8));
  a.lea(kScratch0, x86::ptr(kScratch0, in.offset));
  a.mov(cpu_field(offset_in(cpu_, &cpu_.state.x87.fip), 8), kScratch0);
}

void BlockEmitter::call_stub(const Insn& in) {
  a.mov(kScratch0, reinterpret_cast<u64>(&in));
  a.mov(kScratch1, reinterpret_cast<u64>(&block_));
  a.call(reinterpret_cast<u64>(stubs_.call_handler));
}

void BlockEmitter::call_handler(const Insn& in) {
  save_flags();
  if (fip_ != nullptr) store_fip(*fip_);
  fip_ = nullptr;
  call_stub(in);
  in_rax_ = true;
  in_host_ = false;
  check_owned(index_of(in) + 1);
}

void BlockEmitter::check_canonical() {
  save_flags();
  a.mov(kScratch1, kScratch0);
  a.shl(kScratch1, 16);
  a.sar(kScratch1, 16);
  a.cmp(kScratch1, kScratch0);
  a.jne(slow());
  flags_lost();
}

void BlockEmitter::go_to_scratch() {
  ended_ = true;
  save_flags();
  a.jmp(reinterpret_cast<u64>(stubs_.lookup[static_cast<unsigned>(view_)]));
}

void BlockEmitter::go_to(u64 offset, bool checked) {
  save_flags();
  if (offset < kPageBytes) {
    const Label stub = a.newLabel();
    a.long_().jmp(stub);
    ended_ = true;
    edges_.push_back({a.offset(), stub, static_cast<u16>(offset)});
    return;
  }
  a.mov(kScratch0, slot(cpu::kGprPageBase, 8));
  const i64 distance = static_cast<i64>(offset);
  CHECK(distance == static_cast<i32>(distance));
  a.lea(kScratch0, x86::ptr(kScratch0, static_cast<i32>(distance)));
  if (checked) check_canonical();
  go_to_scratch();
}

void BlockEmitter::finish(NativeBlock& native, const u8* base) {
  for (const SlowPath& path : slow_paths_) {
    a.bind(path.entry);
    if (path.fip != nullptr) store_fip(*path.fip);
    call_stub(*path.insn);
    acquire(index_of(*path.insn) + 1);
    if (path.flags_in_host) {
      in_rax_ = true, in_host_ = false;
      need_flags();
    }
    a.jmp(path.back);
  }
  const auto set_rip = [&](u16 page_offset) {
    a.mov(kScratch0, slot(cpu::kGprPageBase, 8));
    a.lea(kScratch0, x86::ptr(kScratch0, page_offset));
    a.mov(rip(), kScratch0);
  };
  for (const PendingAcquire& pending : acquires_) {
    a.bind(pending.entry);
    a.call(reinterpret_cast<u64>(pending.stub));
    refuse_on_carry(pending.next);
    a.jmp(pending.back);
  }
  for (const PendingRefusal& pending : refusals_) {
    a.bind(pending.entry);
    a.add(kBudgetReg, block_.count - pending.next);
    set_rip(block_.insns[pending.next].offset);
    a.jmp(reinterpret_cast<u64>(stubs_.leave_interpret));
  }
  a.bind(out_of_budget_);
  a.add(kBudgetReg, block_.count);
  set_rip(block_.insns[0].offset);
  a.jmp(reinterpret_cast<u64>(stubs_.leave));

  CHECK(edges_.size() <= NativeBlock::kMaxEdges);
  for (const PendingEdge& pending : edges_) {
    Edge& edge = native.edge[native.edges++];
    edge.owner = &native;
    edge.jump = base + pending.jump_end - 4;
    edge.stub = base + a.offset();
    edge.page_offset = pending.page_offset;
    a.bind(pending.stub);
    set_rip(pending.page_offset);
    a.mov(kScratch1, reinterpret_cast<u64>(&edge));
    a.jmp(reinterpret_cast<u64>(stubs_.leave_edge));
  }
}

}  // namespace reprise::jit::x64
