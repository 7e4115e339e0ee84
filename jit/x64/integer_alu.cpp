// Emission of ADD and its relatives.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {

bool emit_binary(BlockEmitter& e, const Insn& in, InstId id, Flags flags, bool writes) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in)) return false;
  // TEST has no form with the memory operand second; it is commutative.
  const auto emit = [&](const Operand& dst, const Operand& src) {
    if (id == Inst::kIdTest && src.isMem())
      e.a.emit(id, src, dst);
    else
      e.a.emit(id, dst, src);
  };
  switch (in.form) {
    case Form::RI:
      if (!immediate_fits(in, bytes)) return false;
      [[fallthrough]];
    case Form::RR: {
      const unsigned dst = e.gpr_of(in, 0);
      Operand src = in.form == Form::RI ? Operand(immediate(in, bytes)) : e.place(e.gpr_of(in, 1), bytes);
      before(e, flags);
      if (e.pinned(dst)) {
        emit(e.reg(dst, bytes), src);
      } else {
        if (src.isMem()) src = e.fetched(e.gpr_of(in, 1), bytes, kScratch1);
        if (writes && (bytes == 4 || id == Inst::kIdImul)) {
          const Gp value = e.fetched(dst, bytes, kScratch0);
          emit(value, src);
          e.assign(dst, bytes, value);
        } else {
          emit(e.slot(dst, bytes), src);
        }
      }
      break;
    }
    case Form::RM: {
      const unsigned dst = e.gpr_of(in, 0);
      const Mem m = e.probe(in, Access::Read, bytes);
      before(e, flags);
      if (e.pinned(dst)) {
        emit(e.reg(dst, bytes), m);
      } else {
        e.a.mov(e.scratch0(bytes), m);
        const Gp value = e.fetched(dst, bytes, kScratch1);
        emit(value, e.scratch0(bytes));
        if (writes) e.assign(dst, bytes, value);
      }
      break;
    }
    case Form::MR: {
      const unsigned src = e.gpr_of(in, 1);
      Mem m = e.probe(in, writes ? Access::Write : Access::Read, bytes);
      before(e, flags);
      if (!e.pinned(src)) m = e.one_register(bytes);
      emit(m, e.fetched(src, bytes, kScratch0));
      break;
    }
    case Form::MI: {
      if (!immediate_fits(in, bytes)) return false;
      const Mem m = e.probe(in, writes ? Access::Write : Access::Read, bytes);
      before(e, flags);
      emit(m, immediate(in, bytes));
      break;
    }
    default:
      return false;
  }
  after(e, flags);
  return true;
}

namespace {

/// INC, DEC, NEG, NOT.
bool unary(BlockEmitter& e, const Insn& in, InstId id, Flags flags) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in)) return false;
  if (in.form == Form::R) {
    const unsigned dst = e.gpr_of(in, 0);
    before(e, flags);
    const Gp value = e.fetched(dst, bytes, kScratch0);
    e.a.emit(id, value);
    if (!e.pinned(dst)) e.assign(dst, bytes, value);
  } else if (in.form == Form::M) {
    const Mem m = e.probe(in, Access::Write, bytes);
    before(e, flags);
    e.a.emit(id, m);
  } else {
    return false;
  }
  after(e, flags);
  return true;
}

}  // namespace

bool emit_alu(BlockEmitter& e, const Insn& in) {
  switch (in.mnemonic) {
    case Mnemonic::ADD:
      return emit_binary(e, in, Inst::kIdAdd, Flags::Made, true);
    case Mnemonic::SUB:
      return emit_binary(e, in, Inst::kIdSub, Flags::Made, true);
    case Mnemonic::AND:
      return emit_binary(e, in, Inst::kIdAnd, Flags::Made, true);
    case Mnemonic::OR:
      return emit_binary(e, in, Inst::kIdOr, Flags::Made, true);
    case Mnemonic::XOR:
      return emit_binary(e, in, Inst::kIdXor, Flags::Made, true);
    case Mnemonic::ADC:
      return emit_binary(e, in, Inst::kIdAdc, Flags::Merged, true);
    case Mnemonic::SBB:
      return emit_binary(e, in, Inst::kIdSbb, Flags::Merged, true);
    case Mnemonic::CMP:
      return emit_binary(e, in, Inst::kIdCmp, Flags::Made, false);
    case Mnemonic::TEST:
      return emit_binary(e, in, Inst::kIdTest, Flags::Made, false);
    case Mnemonic::INC:
      return unary(e, in, Inst::kIdInc, Flags::Merged);
    case Mnemonic::DEC:
      return unary(e, in, Inst::kIdDec, Flags::Merged);
    case Mnemonic::NEG:
      return unary(e, in, Inst::kIdNeg, Flags::Made);
    case Mnemonic::NOT:
      return unary(e, in, Inst::kIdNot, Flags::Untouched);
    default:
      return false;
  }
}

}  // namespace reprise::jit::x64
