// Emission of ADD and its relatives.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// TEST has no form with the memory operand second; it is commutative.
void emit_pair(BlockEmitter& e, InstId id, const Operand& dst, const Operand& src,
               bool from_guest_memory = false) {
  const bool swapped = id == Inst::kIdTest && src.isMem();
  const Operand& first = swapped ? src : dst;
  const Operand& second = swapped ? dst : src;
  e.a.emit(id, first, second);
  // Not with memory: its slow path leaves no host address behind.
  if ((id == Inst::kIdTest || id == Inst::kIdCmp) && !from_guest_memory)
    e.flags.repeatable(id, first, second);
}

/// The first operand is AH, CH, DH or BH.
bool binary_high(BlockEmitter& e, const Insn& in, InstId id, Flags flags, bool writes) {
  Operand src;
  if (!source_for_high_byte(e, in, src)) return false;
  before(e, flags);
  if (writes) {
    const HighByteDestination high(e, in);
    e.a.emit(id, high.value(), src);
  } else {
    e.a.emit(id, source_register(e, in, 0, 1, kScratch0), src);
  }
  after(e, flags);
  return true;
}

}  // namespace

bool emit_binary(BlockEmitter& e, const Insn& in, InstId id, Flags flags, bool writes) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in, HighBytes::Allowed)) return false;
  if (high_byte(in, 0) && in.form != Form::MR && in.form != Form::MI)
    return binary_high(e, in, id, flags, writes);
  switch (in.form) {
    case Form::RI:
      if (!immediate_fits(in, bytes)) return false;
      [[fallthrough]];
    case Form::RR: {
      const unsigned dst = gpr_of(in, 0);
      Operand src = in.form == Form::RI ? Operand(immediate(in, bytes)) : source(e, in, 1, bytes, kScratch1);
      before(e, flags);
      if (e.regs.pinned(dst)) {
        emit_pair(e, id, e.regs.reg(dst, bytes), src);
      } else {
        if (src.isMem()) src = e.regs.fetched(gpr_of(in, 1), bytes, kScratch1);
        // Others than these have the register only as destination.
        const bool register_only = id == Inst::kIdImul || id == Inst::kIdAdcx || id == Inst::kIdAdox;
        if (writes && (bytes < 8 || register_only)) {
          const Gp value = e.regs.fetched(dst, bytes, kScratch0);
          emit_pair(e, id, value, src);
          e.regs.put_back(dst, value);
        } else {
          emit_pair(e, id, e.regs.slot(dst, bytes), src);
        }
      }
      break;
    }
    case Form::RM: {
      const unsigned dst = gpr_of(in, 0);
      const Mem m = e.memory.probe(in, Access::Read, bytes);
      before(e, flags);
      if (e.regs.pinned(dst)) {
        emit_pair(e, id, e.regs.reg(dst, bytes), m, true);
      } else {
        e.a.mov(scratch0(bytes), m);
        const Gp value = e.regs.fetched(dst, bytes, kScratch1);
        emit_pair(e, id, value, scratch0(bytes), true);
        if (writes) e.regs.put_back(dst, value);
      }
      break;
    }
    case Form::MR: {
      Mem m = e.memory.probe(in, writes ? Access::Write : Access::Read, bytes);
      before(e, flags);
      if (high_byte(in, 1) || !e.regs.pinned(gpr_of(in, 1))) m = e.memory.one_register(m);
      emit_pair(e, id, m, source_register(e, in, 1, bytes, kScratch0), true);
      break;
    }
    case Form::MI: {
      if (!immediate_fits(in, bytes)) return false;
      const Mem m = e.memory.probe(in, writes ? Access::Write : Access::Read, bytes);
      before(e, flags);
      emit_pair(e, id, m, immediate(in, bytes), true);
      break;
    }
    default: return false;
  }
  after(e, flags);
  return true;
}

namespace {

/// INC, DEC, NEG, NOT.
bool unary(BlockEmitter& e, const Insn& in, InstId id, Flags flags) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in, HighBytes::Allowed)) return false;
  if (in.form == Form::R && high_byte(in, 0)) {
    before(e, flags);
    const HighByteDestination high(e, in);
    e.a.emit(id, high.value());
  } else if (in.form == Form::R) {
    const unsigned dst = gpr_of(in, 0);
    before(e, flags);
    const Gp value = e.regs.fetched(dst, bytes, kScratch0);
    e.a.emit(id, value);
    e.regs.put_back(dst, value);
  } else if (in.form == Form::M) {
    const Mem m = e.memory.probe(in, Access::Write, bytes);
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
    case Mnemonic::ADD: return emit_binary(e, in, Inst::kIdAdd, Flags::Made, true);
    case Mnemonic::SUB: return emit_binary(e, in, Inst::kIdSub, Flags::Made, true);
    case Mnemonic::AND: return emit_binary(e, in, Inst::kIdAnd, Flags::Made, true);
    case Mnemonic::OR: return emit_binary(e, in, Inst::kIdOr, Flags::Made, true);
    case Mnemonic::XOR: return emit_binary(e, in, Inst::kIdXor, Flags::Made, true);
    case Mnemonic::ADC: return emit_binary(e, in, Inst::kIdAdc, Flags::Merged, true);
    case Mnemonic::SBB: return emit_binary(e, in, Inst::kIdSbb, Flags::Merged, true);
    case Mnemonic::CMP: return emit_binary(e, in, Inst::kIdCmp, Flags::Made, false);
    case Mnemonic::TEST: return emit_binary(e, in, Inst::kIdTest, Flags::Made, false);
    case Mnemonic::INC: return unary(e, in, Inst::kIdInc, kept_flags(e));
    case Mnemonic::DEC: return unary(e, in, Inst::kIdDec, kept_flags(e));
    case Mnemonic::NEG: return unary(e, in, Inst::kIdNeg, Flags::Made);
    case Mnemonic::NOT: return unary(e, in, Inst::kIdNot, Flags::Untouched);
    default: return false;
  }
}

}  // namespace reprise::jit::x64
