// What planning and emission ask about an instruction and its explicit operands. Independent of the host.
#pragma once

#include "common/bits.h"
#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"
#include "cpu/state/state.h"

namespace reprise::jit {

/// All it does is to raise an exception.
inline bool raises(const cpu::Insn& in) {
  return in.exec == cpu::raise_ud || in.exec == cpu::raise_nm || in.exec == cpu::raise_gp0;
}

/// Whether explicit operand `index`, a register, is a general register: gpr_of(). AH to BH are not.
inline bool general_operand(const cpu::Insn& in, unsigned index) {
  return (index > 1 || in.reg_class[index] == cpu::RegClass::Gpr) && (in.reg[index] & 7) == 0;
}
/// Its number.
inline unsigned gpr_of(const cpu::Insn& in, unsigned index) { return in.reg[index] / 8; }

/// Whether the address of the memory operand is that of a host operand with registers in place of the
/// guest's. A displacement relative to the page may be longer than the one relative to rip.
inline bool plain_address(const cpu::Insn& in) {
  const bool absolute = in.base / 8 == cpu::kGprZero && in.index / 8 == cpu::kGprZero;
  return absolute || in.addr_shift != 0 || in.disp == static_cast<i32>(in.disp);
}
/// The same, and nothing is checked but what every access is checked for.
inline bool plain_memory(const cpu::Insn& in) { return plain_address(in) && !in.has(cpu::Insn::kAlignCheck); }

/// The immediate, sign-extended from `bytes`, fits 32 bits.
inline bool immediate_fits(const cpu::Insn& in, unsigned bytes) {
  const auto value = static_cast<i64>(sign_extend(in.imm, bytes * 8));
  return value == static_cast<i32>(value);
}

/// Jumps and calls with a target relative to the next instruction, which Insn::imm is.
inline bool relative_branch(const cpu::Insn& in) {
  return in.form == cpu::Form::I && cpu::insn_row(in.mnemonic).operands.has(cpu::Operands::kRelative);
}
/// Those that look at status flags only.
inline bool conditional_jump(const cpu::Insn& in) {
  const cpu::InsnRow& row = cpu::insn_row(in.mnemonic);
  return relative_branch(in) && row.tested != 0 && row.operands.reads == 0;
}

}  // namespace reprise::jit
