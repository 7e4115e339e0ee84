// Emission of moves: MOV, MOVZX, MOVSX, LEA, SETcc, CMOVcc, sign extensions of rAX.
#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {
namespace {

/// The first operand is AH, CH, DH or BH.
bool mov_high(BlockEmitter& e, const Insn& in) {
  Operand src;
  if (!source_for_high_byte(e, in, src)) return false;
  const HighByteDestination high(e, in);
  e.a.emit(Inst::kIdMov, high.value(), src);
  return true;
}

/// From a segment register.
bool mov_selector(BlockEmitter& e, const Insn& in) {
  if (in.reg_class[1] != cpu::RegClass::Segment) return false;
  if (in.form == Form::RR && general_operand(in, 0)) {
    const unsigned dst = gpr_of(in, 0);
    const unsigned bytes = in.size0;
    const Gp host = e.regs.result(dst, bytes);
    if (bytes == 2)
      e.a.mov(host, e.regs.selector(in.reg[1]));
    else
      e.a.movzx(host.r32(), e.regs.selector(in.reg[1]));
    e.regs.assign_result(dst, bytes, host);
    return true;
  }
  if (in.form == Form::MR && plain_memory(in)) {
    const Mem m = e.memory.one_register(e.memory.probe(in, Access::Write, 2));
    e.a.movzx(scratch0(4), e.regs.selector(in.reg[1]));
    e.a.mov(m, scratch0(2));
    return true;
  }
  return false;
}

/// To a segment register. SS is the handler's, for what it holds off.
bool mov_to_selector(BlockEmitter& e, const Insn& in) {
  if (in.reg_class[0] != cpu::RegClass::Segment || in.reg[0] == cpu::CS || in.reg[0] == cpu::SS) return false;
  if (e.mode().has(cpu::ModeKey::kProtected)) return false;
  if (in.form == Form::RR) {
    if (!general_operand(in, 1)) return false;
    e.a.emit(Inst::kIdMovzx, scratch0(4), e.regs.place(gpr_of(in, 1), 2));
  } else {
    if (in.form != Form::RM || !plain_memory(in)) return false;
    e.a.movzx(scratch0(4), e.memory.probe(in, Access::Read, 2));
  }
  load_real_segment(e, in.reg[0]);
  return true;
}

bool mov(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (in.reg_class[0] != cpu::RegClass::Gpr) return mov_to_selector(e, in);
  if (in.reg_class[1] != cpu::RegClass::Gpr) return mov_selector(e, in);
  if (!operands_ok(in, HighBytes::Allowed)) return false;
  if (high_byte(in, 0) && in.form != Form::MR && in.form != Form::MI) return mov_high(e, in);
  switch (in.form) {
    case Form::RR: {
      const unsigned dst = gpr_of(in, 0);
      const Operand src = source(e, in, 1, bytes, kScratch0);
      if (e.regs.pinned(dst)) {
        e.a.emit(Inst::kIdMov, e.regs.reg(dst, bytes), src);
      } else if (src.isReg() && bytes == 8) {
        e.a.emit(Inst::kIdMov, e.regs.slot(dst, bytes), src);
      } else {
        e.a.emit(Inst::kIdMov, scratch0(bytes), src);
        e.regs.assign(dst, bytes, scratch0(bytes));
      }
      return true;
    }
    case Form::RI: {
      const unsigned dst = gpr_of(in, 0);
      const u64 value = in.imm;
      const Gp host = e.regs.result(dst, bytes);
      if (bytes == 8) {
        if (value == static_cast<u32>(value))
          e.a.mov(host.r32(), static_cast<u32>(value));
        else
          e.a.mov(host, static_cast<i64>(value));
      } else {
        e.a.emit(Inst::kIdMov, host, bytes == 4 ? Imm(static_cast<u32>(value)) : immediate(in, bytes));
      }
      e.regs.assign_result(dst, bytes, host);
      return true;
    }
    case Form::RM: {
      const unsigned dst = gpr_of(in, 0);
      const Mem m = e.memory.probe(in, Access::Read, bytes);
      const Gp host = e.regs.result(dst, bytes);
      e.a.mov(host, m);
      e.regs.assign_result(dst, bytes, host);
      return true;
    }
    case Form::MR: {
      Mem m = e.memory.probe(in, Access::Write, bytes);
      if (high_byte(in, 1) || !e.regs.pinned(gpr_of(in, 1))) m = e.memory.one_register(m);
      e.a.mov(m, source_register(e, in, 1, bytes, kScratch0));
      return true;
    }
    case Form::MI:
      if (!immediate_fits(in, bytes)) return false;
      e.a.emit(Inst::kIdMov, e.memory.probe(in, Access::Write, bytes), immediate(in, bytes));
      return true;
    default: return false;
  }
}

bool extend(BlockEmitter& e, const Insn& in, bool is_signed) {
  const unsigned to = in.size0;
  const unsigned from = in.size1;
  if (!operands_ok(in, HighBytes::Allowed) || high_byte(in, 0) || !word_to_qword(to) || from >= to ||
      (in.form != Form::RR && in.form != Form::RM))
    return false;
  const unsigned dst = gpr_of(in, 0);
  const Operand src = in.form == Form::RR ? source(e, in, 1, from, kScratch0)
                                          : Operand(e.memory.probe(in, Access::Read, from));
  const Gp host = e.regs.result(dst, to);
  if (from == 4) {
    if (is_signed)
      e.a.emit(Inst::kIdMovsxd, host, src);
    else
      e.a.emit(Inst::kIdMov, host.r32(), src);
  } else {
    e.a.emit(is_signed ? Inst::kIdMovsx : Inst::kIdMovzx, host, src);
  }
  e.regs.assign_result(dst, to, host);
  return true;
}

bool lea(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (!general_operand(in, 0) || !plain_address(in)) return false;
  const unsigned dst = gpr_of(in, 0);
  const Mem at = e.addresses.of(in);
  const unsigned computed = bytes == 8 && in.addr_shift == 0 ? 8 : 4;  // the upper half is zero or not wanted
  const bool truncated = in.addr_shift == 48 && bytes > 2;
  if (bytes == 2 || truncated || !e.regs.pinned(dst)) {
    e.a.lea(scratch0(computed), at);
    if (truncated) e.a.movzx(scratch0(4), scratch0(2));
    e.regs.assign(dst, bytes, scratch0(bytes));
  } else {
    e.a.lea(e.regs.reg(dst, computed), at);
  }
  return true;
}

bool setcc(BlockEmitter& e, const Insn& in, CondCode condition) {
  if (!operands_ok(in, HighBytes::Allowed)) return false;
  const InstId id = Inst::setccFromCond(condition);
  if (in.form == Form::R && high_byte(in, 0)) {
    e.flags.need();
    const HighByteDestination high(e, in);
    e.a.emit(id, high.value());
    return true;
  }
  if (in.form == Form::R) {
    const unsigned dst = gpr_of(in, 0);
    const Gp host = e.regs.result(dst, 1);
    e.flags.need();
    e.a.emit(id, host);
    e.regs.assign_result(dst, 1, host);
    return true;
  }
  if (in.form != Form::M) return false;
  const Mem m = e.memory.probe(in, Access::Write, 1);
  e.flags.need();
  e.a.emit(id, m);
  return true;
}

bool cmovcc(BlockEmitter& e, const Insn& in, CondCode condition) {
  const unsigned bytes = in.size0;
  if (!operands_ok(in) || (in.form != Form::RR && in.form != Form::RM)) return false;
  const InstId id = Inst::cmovccFromCond(condition);
  const unsigned dst = gpr_of(in, 0);
  const Operand src = second_loaded(e, in, bytes);
  e.flags.need();
  const Gp host = e.regs.fetched(dst, bytes, kScratch1);
  e.a.emit(id, host, src);
  e.regs.put_back(dst, host);
  return true;
}

bool bswap(BlockEmitter& e, const Insn& in) {
  const unsigned bytes = in.size0;
  if (bytes < 4 || in.form != Form::R || !operands_ok(in)) return false;
  const unsigned dst = gpr_of(in, 0);
  const Gp value = e.regs.fetched(dst, bytes, kScratch0);
  e.a.bswap(value);
  e.regs.put_back(dst, value);
  return true;
}

/// CWD, CDQ, CQO.
void sign_to_d(BlockEmitter& e, unsigned bytes) {
  e.flags.save();
  e.a.mov(e.regs.reg(cpu::RDX, bytes), e.regs.reg(cpu::RAX, bytes));
  e.a.sar(e.regs.reg(cpu::RDX, bytes), bytes * 8 - 1);
  e.flags.lost();
}

static_assert(static_cast<unsigned>(Mnemonic::SETNLE) - static_cast<unsigned>(Mnemonic::SETO) == 15);
static_assert(static_cast<unsigned>(Mnemonic::CMOVNLE) - static_cast<unsigned>(Mnemonic::CMOVO) == 15);

}  // namespace

bool emit_move(BlockEmitter& e, const Insn& in) {
  if (in_run(in, Mnemonic::SETO, Mnemonic::SETNLE)) return setcc(e, in, condition(in, Mnemonic::SETO));
  if (in_run(in, Mnemonic::CMOVO, Mnemonic::CMOVNLE)) return cmovcc(e, in, condition(in, Mnemonic::CMOVO));
  switch (in.mnemonic) {
    case Mnemonic::MOV: return mov(e, in);
    case Mnemonic::MOVZX: return extend(e, in, false);
    case Mnemonic::MOVSX:
    case Mnemonic::MOVSXD: return extend(e, in, true);
    case Mnemonic::LEA: return lea(e, in);
    case Mnemonic::BSWAP: return bswap(e, in);
    case Mnemonic::CBW: e.a.movsx(e.regs.reg(cpu::RAX, 2), e.regs.reg(cpu::RAX, 1)); return true;
    case Mnemonic::CWDE: e.a.movsx(e.regs.reg(cpu::RAX, 4), e.regs.reg(cpu::RAX, 2)); return true;
    case Mnemonic::CDQE: e.a.movsxd(e.regs.reg(cpu::RAX, 8), e.regs.reg(cpu::RAX, 4)); return true;
    case Mnemonic::CWD: sign_to_d(e, 2); return true;
    case Mnemonic::CDQ: sign_to_d(e, 4); return true;
    case Mnemonic::CQO: sign_to_d(e, 8); return true;
    default: return false;
  }
}

}  // namespace reprise::jit::x64
