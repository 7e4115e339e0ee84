// Emission of instructions on the stack.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

bool push(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  if (in.form == Form::R) {
    if (!e.general_operand(in, 0)) return false;
    const unsigned src = e.gpr_of(in, 0);
    Mem m = e.probe(below_stack(), cpu::kSegFlat, Access::Write, 8);
    if (!e.pinned(src)) m = e.one_register(8);
    e.a.mov(m, e.fetched(src, 8, kScratch0));
  } else if (in.form == Form::I) {
    if (!immediate_fits(in, 8)) return false;
    e.a.emit(Inst::kIdMov, e.probe(below_stack(), cpu::kSegFlat, Access::Write, 8), immediate(in, 8));
  } else {
    return false;
  }
  move_stack(e, -8);
  return true;
}

bool pop(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in) || in.form != Form::R || !e.general_operand(in, 0)) return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Mem m = e.probe(top_of_stack(), cpu::kSegFlat, Access::Read, 8);
  const Gp host = e.pinned(dst) ? e.reg(dst, 8) : kScratch0;
  if (dst != cpu::RSP) {
    e.a.mov(host, m);
    move_stack(e, 8);
    if (!e.pinned(dst)) e.assign(dst, 8, host);
  } else {
    e.a.mov(host, m);
  }
  return true;
}

bool leave(BlockEmitter& e, const Insn& in) {
  if (!plain_stack(in)) return false;
  const Mem m = e.probe(x86::ptr(e.reg(cpu::RBP, 8)), cpu::kSegFlat, Access::Read, 8);
  e.a.lea(e.reg(cpu::RSP, 8), x86::ptr(e.reg(cpu::RBP, 8), 8));
  e.a.mov(e.reg(cpu::RBP, 8), m);
  return true;
}

}  // namespace

bool emit_stack(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::PUSH:
      return push(e, in);
    case Mnemonic::POP:
      return pop(e, in);
    case Mnemonic::LEAVE:
      return leave(e, in);
    default:
      return false;
  }
}

}  // namespace reprise::jit::x64
