// Emission of tests and counts of bits.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// BT, BTS, BTR, BTC of a register, or of memory with an immediate.
bool bit_test(BlockEmitter& e, const Insn& in, InstId id, bool writes) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || !word_to_qword(bytes)) return false;
  const Imm bit(in.imm & (bytes * 8 - 1));
  if (in.form == Form::RI || in.form == Form::RR) {
    const unsigned dst = e.gpr_of(in, 0);
    e.need_flags();
    const Gp value = e.fetched(dst, bytes, kScratch0);
    if (in.form == Form::RI)
      e.a.emit(id, value, bit);
    else
      e.a.emit(id, value, e.fetched(e.gpr_of(in, 1), bytes, kScratch1));
    if (writes && !e.pinned(dst)) e.assign(dst, bytes, value);
  } else if (in.form == Form::MI) {
    const Mem m = e.probe(in, writes ? Access::Write : Access::Read, bytes);
    e.need_flags();
    e.a.emit(id, m, bit);
  } else {
    return false;
  }
  e.flags_made();
  return true;
}

/// POPCNT.
bool count_bits(BlockEmitter& e, const Insn& in, InstId id) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || !word_to_qword(bytes) || (in.form != Form::RR && in.form != Form::RM)) return false;
  const unsigned dst = e.gpr_of(in, 0);
  const Operand src =
      in.form == Form::RR ? e.place(e.gpr_of(in, 1), bytes) : Operand(e.probe(in, Access::Read, bytes));
  const Gp host = e.pinned(dst) ? e.reg(dst, bytes) : e.scratch0(bytes);
  e.a.emit(id, host, src);
  if (!e.pinned(dst)) e.assign(dst, bytes, host);
  e.flags_made();
  return true;
}

}  // namespace

bool emit_bit(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::BT:
      return bit_test(e, in, Inst::kIdBt, false);
    case Mnemonic::BTS:
      return bit_test(e, in, Inst::kIdBts, true);
    case Mnemonic::BTR:
      return bit_test(e, in, Inst::kIdBtr, true);
    case Mnemonic::BTC:
      return bit_test(e, in, Inst::kIdBtc, true);
    case Mnemonic::POPCNT:
      return count_bits(e, in, Inst::kIdPopcnt);
    default:
      return false;
  }
}

}  // namespace reprise::jit::x64
