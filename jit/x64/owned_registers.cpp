#include "jit/x64/owned_registers.h"

#include <cstddef>

namespace reprise::jit::x64 {

Label Refusals::before(u32 next) {
  pending_.push_back({em_.a.newLabel(), next});
  return pending_.back().entry;
}

void Refusals::finish() {
  for (const Pending& pending : pending_) {
    em_.a.bind(pending.entry);
    em_.a.add(kBudgetReg, em_.unit.count() - pending.next);
    regs_.set_rip(em_.unit.insns[pending.next].offset);
    em_.a.jmp(em_.address_of(em_.context.stubs.leave_interpret));
  }
}

void OwnedRegisters::needs(u32 index, HostRegisters registers) {
  if (registers == HostRegisters::Xmm || registers == HostRegisters::Ymm) vectors_until_ = index + 1;
  if (registers == HostRegisters::Ymm) wide_ = true;
  if (registers == HostRegisters::X87) x87_until_ = index + 1;
}

const OwnedRegisters::Acquire& OwnedRegisters::out_of_line(const u8* stub, u32 next) {
  const Label entry = em_.a.newLabel();
  const Label back = em_.a.newLabel();
  acquires_.push_back({entry, back, stub, next});
  return acquires_.back();
}

void OwnedRegisters::check(u32 next) {
  const CountAs ownership(em_.a, HostInsn::Ownership);
  if (next < vectors_until_) {
    const Acquire& acquire = out_of_line(vector_stub(), next);
    em_.a.cmp(x86::byte_ptr(x86::rsp, offsetof(Frame, owned_vectors)),
              static_cast<i32>(wide_ ? kOwnedYmm : kOwnedXmm));
    em_.a.jb(acquire.entry);
    em_.a.bind(acquire.back);
  }
  if (next < x87_until_) {
    const Acquire& acquire = out_of_line(em_.context.stubs.acquire_x87, next);
    em_.a.cmp(x86::byte_ptr(x86::rsp, offsetof(Frame, owned_x87)), 0);
    em_.a.je(acquire.entry);
    em_.a.bind(acquire.back);
  }
}

void OwnedRegisters::acquire(u32 next) {
  if (next < vectors_until_) {
    em_.a.call(em_.address_of(vector_stub()));
    refuse_on_carry(next);
  }
  if (next < x87_until_) {
    em_.a.call(em_.address_of(em_.context.stubs.acquire_x87));
    refuse_on_carry(next);
  }
}

void OwnedRegisters::refuse_on_carry(u32 next) { em_.a.jc(refusals_.before(next)); }

void OwnedRegisters::finish() {
  for (const Acquire& pending : acquires_) {
    em_.a.bind(pending.entry);
    em_.a.call(em_.address_of(pending.stub));
    refuse_on_carry(pending.next);
    em_.a.jmp(pending.back);
  }
}

void OwnedRegisters::fip_is(const cpu::Insn& in) {
  const bool last = em_.index + 1 >= fip_until_;
  if (last) store_fip(in);
  fip_ = last ? nullptr : &in;
}

void OwnedRegisters::store_fip(const cpu::Insn& in) {
  const CountAs ownership(em_.a, HostInsn::Ownership);
  regs_.load_rip(in.offset);
  em_.a.mov(regs_.field(&em_.context.cpu.state.x87.fip, 8), kScratch0);
}

void OwnedRegisters::store_pending_fip() {
  if (fip_ != nullptr) store_fip(*fip_);
  fip_ = nullptr;
}

}  // namespace reprise::jit::x64
