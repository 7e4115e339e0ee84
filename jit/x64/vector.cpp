#include "jit/x64/vector.h"
#include "cpu/mnemonic.h"

namespace reprise::jit::x64 {
namespace {

using asmjit::Imm;
using asmjit::InstId;
using asmjit::Operand;
using cpu::Form;
using cpu::Insn;
using cpu::Mnemonic;
using cpu::RegClass;
using mmu::Access;
namespace Inst = x86::Inst;

// The guest's registers stay in the Cpu; these hold values within one instruction.
const x86::Xmm kValue = x86::xmm0;

bool xmm_operand(const Insn& in, unsigned index) { return in.reg_class[index] == RegClass::Vector; }

/// MOVAPS and relatives.
bool move_whole(BlockEmitter& e, const Insn& in, bool aligned) {
  const unsigned alignment = aligned ? 16 : 1;
  if (in.size0 != 16) return false;
  if (in.form == Form::RR) {
    e.a.movaps(kValue, e.xmm_slot(in.reg[1], 16));
    e.a.movaps(e.xmm_slot(in.reg[0], 16), kValue);
    return true;
  }
  if (!e.plain_memory(in)) return false;
  if (in.form == Form::RM) {
    e.a.movups(kValue, e.probe(in, Access::Read, 16, alignment));
    e.a.movaps(e.xmm_slot(in.reg[0], 16), kValue);
    return true;
  }
  if (in.form != Form::MR) return false;
  const Mem m = e.probe(in, Access::Write, 16, alignment);
  e.a.movaps(kValue, e.xmm_slot(in.reg[1], 16));
  e.a.movups(m, kValue);
  return true;
}

/// MOVD, MOVQ, MOVSS and MOVSD between memory or general registers and the low part of an XMM register.
bool move_low(BlockEmitter& e, const Insn& in, unsigned bytes, bool zeroes_in_register) {
  const Gp value = e.scratch0(bytes);
  const auto store_low = [&](unsigned xmm, bool zeroes) {
    e.a.mov(e.xmm_slot(xmm, bytes), value);
    if (!zeroes) return;
    if (bytes == 4) e.a.mov(e.xmm_slot(xmm, 4, 4), 0);
    e.a.mov(e.xmm_slot(xmm, 8, 8), 0);
  };
  switch (in.form) {
    case Form::RR:
      if (xmm_operand(in, 0) && xmm_operand(in, 1)) {
        e.a.mov(value, e.xmm_slot(in.reg[1], bytes));
        store_low(in.reg[0], zeroes_in_register);
      } else if (xmm_operand(in, 0) && e.general_operand(in, 1)) {
        e.a.emit(Inst::kIdMov, value, e.place(e.gpr_of(in, 1), bytes));
        store_low(in.reg[0], true);
      } else if (xmm_operand(in, 1) && e.general_operand(in, 0)) {
        const unsigned dst = e.gpr_of(in, 0);
        e.a.mov(value, e.xmm_slot(in.reg[1], bytes));
        e.assign(dst, bytes, value);
      } else {
        return false;
      }
      return true;
    case Form::RM:
      if (!xmm_operand(in, 0) || !e.plain_memory(in)) return false;
      e.a.mov(value, e.probe(in, Access::Read, bytes));
      store_low(in.reg[0], true);
      return true;
    case Form::MR: {
      if (!xmm_operand(in, 1) || !e.plain_memory(in)) return false;
      e.probe(in, Access::Write, bytes);
      const Mem m = e.one_register(bytes);
      e.a.mov(value, e.xmm_slot(in.reg[1], bytes));
      e.a.mov(m, value);
      return true;
    }
    default:
      return false;
  }
}

/// dst := dst op src, or dst := op(src, imm8) for `shuffle`.
bool operate(BlockEmitter& e, const Insn& in, InstId id, bool shuffle) {
  if (in.size0 != 16 || !xmm_operand(in, 0)) return false;
  const bool has_imm = in.kind2 == static_cast<u8>(cpu::OperandKind::Imm);
  if (has_imm != shuffle) return false;
  Operand src;
  if (in.form == Form::RR && xmm_operand(in, 1)) {
    src = e.xmm_slot(in.reg[1], 16);
  } else if (in.form == Form::RM && e.plain_memory(in)) {
    src = e.probe(in, Access::Read, 16, 16);
  } else if (in.form == Form::RI && !shuffle) {
    src = Imm(in.imm & 0xff);
  } else {
    return false;
  }
  if (shuffle) {
    e.a.emit(id, kValue, src, Imm(in.imm & 0xff));
  } else {
    e.a.movaps(kValue, e.xmm_slot(in.reg[0], 16));
    e.a.emit(id, kValue, src);
  }
  e.a.movaps(e.xmm_slot(in.reg[0], 16), kValue);
  return true;
}

}  // namespace

bool emit_vector(BlockEmitter& e, const Insn& in) {
  if (in.has(Insn::kVex) || in.reg_class[0] == RegClass::Mmx || in.reg_class[1] == RegClass::Mmx)
    return false;
  switch (in.mnemonic) {
    case Mnemonic::MOVAPS:
    case Mnemonic::MOVAPD:
    case Mnemonic::MOVDQA:
      return move_whole(e, in, true);
    case Mnemonic::MOVUPS:
    case Mnemonic::MOVUPD:
    case Mnemonic::MOVDQU:
      return move_whole(e, in, false);
    case Mnemonic::MOVD:
      return move_low(e, in, 4, true);
    case Mnemonic::MOVQ:
      return move_low(e, in, 8, true);
    case Mnemonic::MOVSS:
      return move_low(e, in, 4, false);
    case Mnemonic::MOVSD:
      return move_low(e, in, 8, false);
    case Mnemonic::PSHUFD:
      return operate(e, in, Inst::kIdPshufd, true);
    case Mnemonic::PSHUFLW:
      return operate(e, in, Inst::kIdPshuflw, true);
    case Mnemonic::PSHUFHW:
      return operate(e, in, Inst::kIdPshufhw, true);
#define SAME(name, id) \
  case Mnemonic::name: \
    return operate(e, in, Inst::kId##id, false);
      SAME(ANDPS, Andps)
      SAME(ANDNPS, Andnps) SAME(ORPS, Orps) SAME(XORPS, Xorps) SAME(ANDPD, Andpd) SAME(ANDNPD, Andnpd) SAME(
          ORPD, Orpd) SAME(XORPD, Xorpd) SAME(PAND, Pand) SAME(PANDN, Pandn) SAME(POR, Por) SAME(PXOR, Pxor)
          SAME(PADDB, Paddb) SAME(PADDW, Paddw) SAME(PADDD, Paddd) SAME(PADDQ, Paddq) SAME(PSUBB, Psubb) SAME(
              PSUBW, Psubw) SAME(PSUBD, Psubd) SAME(PSUBQ, Psubq) SAME(PMULUDQ, Pmuludq) SAME(PMULLW, Pmullw)
              SAME(PMULHW, Pmulhw) SAME(PMULHUW, Pmulhuw) SAME(PMADDWD, Pmaddwd) SAME(PCMPEQB, Pcmpeqb) SAME(
                  PCMPEQW, Pcmpeqw) SAME(PCMPEQD, Pcmpeqd) SAME(PCMPGTB, Pcmpgtb) SAME(PCMPGTW, Pcmpgtw)
                  SAME(PCMPGTD, Pcmpgtd) SAME(PMINUB, Pminub) SAME(PMAXUB, Pmaxub) SAME(PMINSW, Pminsw)
                      SAME(PMAXSW, Pmaxsw) SAME(PAVGB, Pavgb) SAME(PAVGW, Pavgw) SAME(PSADBW, Psadbw)
                          SAME(PSLLW, Psllw) SAME(PSLLD, Pslld) SAME(PSLLQ, Psllq) SAME(PSLLDQ, Pslldq)
                              SAME(PSRLW, Psrlw) SAME(PSRLD, Psrld) SAME(PSRLQ, Psrlq) SAME(PSRLDQ, Psrldq)
                                  SAME(PSRAW, Psraw) SAME(PSRAD, Psrad) SAME(PACKSSWB, Packsswb)
                                      SAME(PACKSSDW, Packssdw) SAME(PACKUSWB, Packuswb)
                                          SAME(PUNPCKLBW, Punpcklbw) SAME(PUNPCKLWD, Punpcklwd)
                                              SAME(PUNPCKLDQ, Punpckldq) SAME(PUNPCKLQDQ, Punpcklqdq)
                                                  SAME(PUNPCKHBW, Punpckhbw) SAME(PUNPCKHWD, Punpckhwd)
                                                      SAME(PUNPCKHDQ, Punpckhdq) SAME(PUNPCKHQDQ, Punpckhqdq)
                                                          SAME(UNPCKLPS, Unpcklps) SAME(UNPCKHPS, Unpckhps)
                                                              SAME(UNPCKLPD, Unpcklpd)
                                                                  SAME(UNPCKHPD, Unpckhpd)
#undef SAME
                                                                      default : return false;
  }
}

}  // namespace reprise::jit::x64
