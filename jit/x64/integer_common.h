// What the emission of integer instructions shares.
#pragma once

#include "common/bits.h"
#include "cpu/mnemonic.h"
#include "jit/x64/block_emitter.h"

namespace reprise::jit::x64 {

using asmjit::Imm;
using asmjit::InstId;
using asmjit::Operand;
using cpu::Form;
using cpu::Insn;
using cpu::Mnemonic;
using mmu::Access;
using x86::CondCode;
namespace Inst = x86::Inst;

// Each emits `in`, or returns false having emitted nothing.
bool emit_move(BlockEmitter& e, const Insn& in);
bool emit_alu(BlockEmitter& e, const Insn& in);
bool emit_shift(BlockEmitter& e, const Insn& in);
bool emit_muldiv(BlockEmitter& e, const Insn& in);
bool emit_bit(BlockEmitter& e, const Insn& in);
bool emit_atomic(BlockEmitter& e, const Insn& in);
bool emit_stack(BlockEmitter& e, const Insn& in);
bool emit_branch(BlockEmitter& e, const Insn& in);
bool emit_misc(BlockEmitter& e, const Insn& in);

inline bool word_to_qword(unsigned bytes) { return bytes == 2 || bytes == 4 || bytes == 8; }

/// The immediate as an operand of `bytes`, sign-extended; fits 32 bits but for MOV.
inline Imm immediate(const Insn& in, unsigned bytes) { return Imm(sign_extend(in.imm, bytes * 8)); }
inline bool immediate_fits(const Insn& in, unsigned bytes) {
  const auto value = static_cast<i64>(sign_extend(in.imm, bytes * 8));
  return value == static_cast<i32>(value);
}

/// Registers are general ones, memory operands plain.
inline bool operands_ok(const Insn& in) {
  const unsigned form = static_cast<unsigned>(in.form);
  for (unsigned i = 0; i < 2; ++i) {
    const auto kind = static_cast<cpu::OperandKind>((form >> (2 * i)) & 3);
    if (kind == cpu::OperandKind::Reg && !BlockEmitter::general_operand(in, i)) return false;
    if (kind == cpu::OperandKind::Mem && !BlockEmitter::plain_memory(in)) return false;
  }
  return true;
}

enum class Flags : u8 { Untouched, Made, Merged };  // Merged: reads some or leaves some

/// ADD and relatives. `writes`: the first operand is a destination.
bool emit_binary(BlockEmitter& e, const Insn& in, InstId id, Flags flags, bool writes);

inline void before(BlockEmitter& e, Flags flags) {
  if (flags == Flags::Merged) e.need_flags();
}
inline void after(BlockEmitter& e, Flags flags) {
  if (flags != Flags::Untouched) e.flags_made();
}

/// The condition of a row that lies in a run of sixteen in encoding order.
inline CondCode condition(const Insn& in, Mnemonic first) {
  static constexpr CondCode kCodes[16] = {CondCode::kO, CondCode::kNO, CondCode::kB,  CondCode::kNB,
                                          CondCode::kZ, CondCode::kNZ, CondCode::kBE, CondCode::kNBE,
                                          CondCode::kS, CondCode::kNS, CondCode::kP,  CondCode::kNP,
                                          CondCode::kL, CondCode::kNL, CondCode::kLE, CondCode::kNLE};
  return kCodes[static_cast<unsigned>(in.mnemonic) - static_cast<unsigned>(first)];
}
inline bool in_run(const Insn& in, Mnemonic first, Mnemonic last) {
  return in.mnemonic >= first && in.mnemonic <= last;
}

// --- Stack ---

inline Mem below_stack() { return x86::ptr(BlockEmitter::reg(cpu::RSP, 8), -8); }
inline Mem top_of_stack() { return x86::ptr(BlockEmitter::reg(cpu::RSP, 8)); }
inline void move_stack(BlockEmitter& e, i32 bytes) {
  e.a.lea(e.reg(cpu::RSP, 8), x86::ptr(e.reg(cpu::RSP, 8), bytes));
}
/// The stack operand is plain: 64-bit mode without alignment checks.
inline bool plain_stack(const Insn& in) {
  return in.operand_bytes == 8 && in.has(Insn::kStack64) && !in.has(Insn::kAlignCheck);
}

}  // namespace reprise::jit::x64
