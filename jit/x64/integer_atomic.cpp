// Emission of XCHG, XADD, CMPXCHG and relatives.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

bool exchange_registers(BlockEmitter& e, const Insn& in, InstId id, Flags flags) {
  const unsigned bytes = in.size0;
  const unsigned dst = e.gpr_of(in, 0);
  const unsigned src = e.gpr_of(in, 1);
  if (e.pinned(dst) && e.pinned(src)) {
    e.a.emit(id, e.reg(dst, bytes), e.reg(src, bytes));
  } else if (dst == src || bytes < 4) {
    return false;
  } else {
    // Loads of 32 bits: what is stored as such must have an upper half of zeros.
    e.a.emit(Inst::kIdMov, e.scratch0(bytes), e.place(dst, bytes));
    e.a.emit(Inst::kIdMov, e.scratch1(bytes), e.place(src, bytes));
    e.a.emit(id, e.scratch0(bytes), e.scratch1(bytes));
    e.assign(src, bytes, e.scratch1(bytes));
    e.assign(dst, bytes, e.scratch0(bytes));
  }
  after(e, flags);
  return true;
}

/// XCHG and XADD.
bool exchange(BlockEmitter& e, const Insn& in, InstId id, Flags flags) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in)) return false;
  if (in.form == Form::RR) return exchange_registers(e, in, id, flags);
  if (in.form != Form::MR && in.form != Form::RM) return false;
  const unsigned src = e.gpr_of(in, in.form == Form::MR ? 1 : 0);
  const Mem m = e.one_register(e.probe(in, Access::Write, bytes));
  if (id == Inst::kIdXchg && e.pinned(src)) {
    // The host's XCHG would lock the bus.
    e.a.mov(e.scratch0(bytes), m);
    e.a.mov(m, e.reg(src, bytes));
    e.a.mov(e.reg(src, bytes), e.scratch0(bytes));
    return true;
  }
  const Gp value = e.fetched(src, bytes, kScratch0);
  e.a.emit(id, m, value);
  put_back(e, src, value);
  after(e, flags);
  return true;
}

bool cmpxchg(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || (in.form != Form::MR && in.form != Form::RR)) return false;
  Operand dst;
  Gp src;
  if (in.form == Form::MR) {
    dst = e.one_register(e.probe(in, Access::Write, bytes));
    src = e.fetched(e.gpr_of(in, 1), bytes, kScratch0);
  } else {
    const unsigned gpr = e.gpr_of(in, 0);
    if (gpr == cpu::RAX || !e.pinned(gpr)) return false;
    dst = e.reg(gpr, bytes);
    src = e.fetched(e.gpr_of(in, 1), bytes, kScratch0);
  }
  e.a.mov(x86::rax, e.reg(cpu::RAX, 8));
  e.a.emit(Inst::kIdCmpxchg, dst, src);
  e.a.mov(e.reg(cpu::RAX, 8), x86::rax);
  e.flags_made();
  return true;
}

/// CMPXCHG8B and CMPXCHG16B: their other registers are the guest's own.
bool cmpxchg_pair(BlockEmitter& e, const Insn& in, InstId id, unsigned bytes) {
  static_assert(kHostOfGuest[cpu::RDX] == Gp::kIdDx && kHostOfGuest[cpu::RCX] == Gp::kIdCx &&
                kHostOfGuest[cpu::RBX] == Gp::kIdBx);
  if (bytes == 16 && !host_has(asmjit::CpuFeatures::X86::kCMPXCHG16B)) return false;
  if (in.form != Form::M || !e.plain_memory(in)) return false;
  const Mem m = e.one_register(e.probe(in, Access::Write, bytes, bytes == 16 ? 16 : 1));
  e.need_flags();
  e.a.mov(x86::rax, e.reg(cpu::RAX, 8));
  e.a.emit(id, m);
  e.a.mov(e.reg(cpu::RAX, 8), x86::rax);
  e.flags_made();
  return true;
}

}  // namespace

bool emit_atomic(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::XCHG: return exchange(e, in, Inst::kIdXchg, Flags::Untouched);
    case Mnemonic::XADD: return exchange(e, in, Inst::kIdXadd, Flags::Made);
    case Mnemonic::CMPXCHG: return cmpxchg(e, in);
    case Mnemonic::CMPXCHG8B: return cmpxchg_pair(e, in, Inst::kIdCmpxchg8b, 8);
    case Mnemonic::CMPXCHG16B: return cmpxchg_pair(e, in, Inst::kIdCmpxchg16b, 16);
    default: return false;
  }
}

}  // namespace reprise::jit::x64
