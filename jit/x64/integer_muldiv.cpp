// Emission of multiplications and divisions.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// MUL and IMUL of rAX.
bool multiply_accumulator(BlockEmitter& e, const Insn& in, InstId id) {
  const unsigned bytes = in.size0;
  if (bytes < 4 || !operands_ok(in) || (in.form != Form::R && in.form != Form::M)) return false;
  const Operand src =
      in.form == Form::R ? e.place(e.gpr_of(in, 0), bytes) : Operand(e.probe(in, Access::Read, bytes));
  const Gp accumulator = host_gp(Gp::kIdAx, bytes);
  e.a.mov(accumulator, e.reg(cpu::RAX, bytes));
  e.a.emit(id, src);
  e.a.mov(e.reg(cpu::RAX, bytes), accumulator);
  e.flags_made();
  return true;
}

bool imul(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (in.form == Form::R || in.form == Form::M) return multiply_accumulator(e, in, Inst::kIdImul);
  if (in.kind2 != static_cast<u8>(cpu::OperandKind::Imm))
    return word_to_qword(bytes) && emit_binary(e, in, Inst::kIdImul, Flags::Made, true);
  if (!operands_ok(in) || !word_to_qword(bytes) || !immediate_fits(in, bytes)) return false;
  if (in.form != Form::RR && in.form != Form::RM) return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Operand src =
      in.form == Form::RR ? e.place(e.gpr_of(in, 1), bytes) : Operand(e.probe(in, Access::Read, bytes));
  const Gp host = e.pinned(dst) ? e.reg(dst, bytes) : e.scratch0(bytes);
  e.a.emit(Inst::kIdImul, host, src, immediate(in, bytes));
  if (!e.pinned(dst)) e.assign(dst, bytes, host);
  e.flags_made();
  return true;
}

}  // namespace

bool emit_muldiv(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::MUL:
      return multiply_accumulator(e, in, Inst::kIdMul);
    case Mnemonic::IMUL:
      return imul(e, in);
    default:
      return false;
  }
}

}  // namespace reprise::jit::x64
