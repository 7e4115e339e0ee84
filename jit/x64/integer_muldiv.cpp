// Emission of multiplications and divisions.
#include "jit/x64/flag_fixes.h"
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// After a multiplication whose low half is in guest register `gpr`.
void made_product(BlockEmitter& e, const Insn& in, unsigned gpr) {
  e.flags.made();
  if (!flags_agree(e, in)) fix_product(e, e.regs.fetched(gpr, in.size0, kScratch0));
}

/// MUL and IMUL of rAX.
bool multiply_accumulator(BlockEmitter& e, const Insn& in, InstId id) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in, HighBytes::Allowed) || (in.form != Form::R && in.form != Form::M)) return false;
  const Operand src = in.form == Form::R ? source(e, in, 0, bytes, kScratch0)
                                         : Operand(e.memory.probe(in, Access::Read, bytes));
  e.a.mov(x86::rax, e.regs.reg(cpu::RAX, 8));
  e.a.emit(id, src);
  e.a.mov(e.regs.reg(cpu::RAX, 8), x86::rax);
  made_product(e, in, cpu::RAX);
  return true;
}

/// DIV and IDIV of doublewords and quadwords. What may raise #DE is left to the handler: for DIV exactly the
/// divisions that do; for IDIV divisors 0 and -1 and dividends that are no sign extension of rAX.
bool divide(BlockEmitter& e, const Insn& in, bool is_signed) {
  const unsigned bytes = in.size0;
  if (bytes < 4 || !operands_ok(in) || (in.form != Form::R && in.form != Form::M)) return false;
  const Gp accumulator = e.regs.reg(cpu::RAX, bytes);
  const Gp upper = e.regs.reg(cpu::RDX, bytes);
  static_assert(kHostOfGuest[cpu::RDX] == Gp::kIdDx);
  Gp divisor = scratch1(bytes);
  if (in.form == Form::M) {
    e.a.mov(divisor, e.memory.probe(in, Access::Read, bytes));
    e.flags.save();  // the probe of a group may have been before the flags were made
  } else {
    e.flags.save();
    divisor = e.regs.fetched(gpr_of(in, 0), bytes, kScratch1);
  }
  if (is_signed) {
    e.a.mov(scratch0(bytes), accumulator);
    e.a.sar(scratch0(bytes), bytes * 8 - 1);
    e.a.cmp(scratch0(bytes), upper);
    e.a.jne(e.slow());
    e.a.lea(scratch0(bytes), x86::ptr(divisor.r64(), 1));
    e.a.cmp(scratch0(bytes), 1);
    e.a.jbe(e.slow());
  } else {
    e.a.cmp(upper, divisor);
    e.a.jae(e.slow());
  }
  e.a.mov(kScratch0, x86::rax);
  e.a.mov(host_gp(Gp::kIdAx, bytes), accumulator);
  e.a.emit(is_signed ? Inst::kIdIdiv : Inst::kIdDiv, divisor);
  e.a.mov(accumulator, host_gp(Gp::kIdAx, bytes));
  e.a.mov(x86::rax, kScratch0);
  e.flags.lost();
  return true;
}

bool imul(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (in.form == Form::R || in.form == Form::M) return multiply_accumulator(e, in, Inst::kIdImul);
  if (in.kind2 != static_cast<u8>(cpu::OperandKind::Imm)) {
    if (!word_to_qword(bytes) || !emit_binary(e, in, Inst::kIdImul, Flags::Made, true)) return false;
    made_product(e, in, gpr_of(in, 0));
    return true;
  }
  if (!operands_ok(in) || !word_to_qword(bytes) || !immediate_fits(in, bytes)) return false;
  if (in.form != Form::RR && in.form != Form::RM) return false;
  const unsigned dst = gpr_of(in, 0);
  const Operand src = second_in_place(e, in, bytes);
  const Gp host = e.regs.result(dst, bytes);
  e.a.emit(Inst::kIdImul, host, src, immediate(in, bytes));
  e.regs.assign_result(dst, bytes, host);
  made_product(e, in, dst);
  return true;
}

}  // namespace

bool emit_muldiv(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::MUL: return multiply_accumulator(e, in, Inst::kIdMul);
    case Mnemonic::IMUL: return imul(e, in);
    case Mnemonic::DIV: return divide(e, in, false);
    case Mnemonic::IDIV: return divide(e, in, true);
    default: return false;
  }
}

}  // namespace reprise::jit::x64
