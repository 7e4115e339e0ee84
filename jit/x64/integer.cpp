#include "jit/x64/integer.h"

#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {

bool emit_integer(BlockEmitter& e, const Insn& in) {
  return emit_alu(e, in) || emit_move(e, in) || emit_branch(e, in) || emit_stack(e, in) ||
         emit_shift(e, in) || emit_bit(e, in) || emit_muldiv(e, in) || emit_atomic(e, in) ||
         emit_bmi(e, in) || emit_misc(e, in) || (e.has(Pass::System) && emit_system(e, in)) ||
         (e.has(Pass::Strings) && emit_string(e, in));
}

bool fixes_host_flags(const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::SHL:
    case Mnemonic::SHR:
    case Mnemonic::SAR: return (in.form == Form::RI || in.form == Form::RR) && !high_byte(in, 0);
    case Mnemonic::ROL:
    case Mnemonic::ROR: return in.form == Form::RI && !high_byte(in, 0);
    case Mnemonic::MUL:
    case Mnemonic::IMUL:
    case Mnemonic::BT:
    case Mnemonic::BTS:
    case Mnemonic::BTR:
    case Mnemonic::BTC:
    case Mnemonic::TZCNT:
    case Mnemonic::LZCNT:
    case Mnemonic::ANDN:
    case Mnemonic::BEXTR:
    case Mnemonic::BLSI:
    case Mnemonic::BLSMSK:
    case Mnemonic::BLSR:
    case Mnemonic::BZHI: return true;
    default: return false;
  }
}

}  // namespace reprise::jit::x64
