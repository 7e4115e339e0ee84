// Emission of XCHG, XADD, CMPXCHG and relatives.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

bool exchange_registers(BlockEmitter& e, const Insn& in, InstId id, Flags flags) {
  const unsigned bytes = in.size0;
  const unsigned dst = gpr_of(in, 0);
  const unsigned src = gpr_of(in, 1);
  if (e.regs.pinned(dst) && e.regs.pinned(src)) {
    e.a.emit(id, e.regs.reg(dst, bytes), e.regs.reg(src, bytes));
  } else if (dst == src || bytes < 4) {
    return false;
  } else {
    // Loads of 32 bits: what is stored as such must have an upper half of zeros.
    e.a.emit(Inst::kIdMov, scratch0(bytes), e.regs.place(dst, bytes));
    e.a.emit(Inst::kIdMov, scratch1(bytes), e.regs.place(src, bytes));
    e.a.emit(id, scratch0(bytes), scratch1(bytes));
    e.regs.assign(src, bytes, scratch1(bytes));
    e.regs.assign(dst, bytes, scratch0(bytes));
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
  const unsigned src = gpr_of(in, in.form == Form::MR ? 1 : 0);
  const Mem m = e.memory.one_register(e.memory.probe(in, Access::Write, bytes));
  if (id == Inst::kIdXchg && e.regs.pinned(src)) {
    // The host's XCHG would lock the bus.
    e.a.mov(scratch0(bytes), m);
    e.a.mov(m, e.regs.reg(src, bytes));
    e.a.mov(e.regs.reg(src, bytes), scratch0(bytes));
    return true;
  }
  const Gp value = e.regs.fetched(src, bytes, kScratch0);
  e.a.emit(id, m, value);
  e.regs.put_back(src, value);
  after(e, flags);
  return true;
}

bool cmpxchg(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || (in.form != Form::MR && in.form != Form::RR)) return false;
  Operand dst;
  Gp src;
  if (in.form == Form::MR) {
    dst = e.memory.one_register(e.memory.probe(in, Access::Write, bytes));
    src = e.regs.fetched(gpr_of(in, 1), bytes, kScratch0);
  } else {
    const unsigned gpr = gpr_of(in, 0);
    if (gpr == cpu::RAX || !e.regs.pinned(gpr)) return false;
    dst = e.regs.reg(gpr, bytes);
    src = e.regs.fetched(gpr_of(in, 1), bytes, kScratch0);
  }
  e.a.mov(x86::rax, e.regs.reg(cpu::RAX, 8));
  e.a.emit(Inst::kIdCmpxchg, dst, src);
  e.a.mov(e.regs.reg(cpu::RAX, 8), x86::rax);
  e.flags.made();
  return true;
}

/// CMPXCHG8B and CMPXCHG16B: their other registers are the guest's own.
bool cmpxchg_pair(BlockEmitter& e, const Insn& in, InstId id, unsigned bytes) {
  static_assert(kHostOfGuest[cpu::RDX] == Gp::kIdDx && kHostOfGuest[cpu::RCX] == Gp::kIdCx &&
                kHostOfGuest[cpu::RBX] == Gp::kIdBx);
  if (bytes == 16 && !host_has(asmjit::CpuFeatures::X86::kCMPXCHG16B)) return false;
  if (in.form != Form::M || !plain_memory(in)) return false;
  const Mem m = e.memory.one_register(e.memory.probe(in, Access::Write, bytes, bytes == 16 ? 16 : 1));
  e.flags.need();
  e.a.mov(x86::rax, e.regs.reg(cpu::RAX, 8));
  e.a.emit(id, m);
  e.a.mov(e.regs.reg(cpu::RAX, 8), x86::rax);
  e.flags.made();
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
