// What the emission of an instruction asks about its explicit operands. Independent of the host.
#pragma once

#include "cpu/core/insn.h"
#include "cpu/state/state.h"

namespace reprise::jit {

/// Whether explicit operand `index`, a register, is a general register: gpr_of(). AH to BH are not.
inline bool general_operand(const cpu::Insn& in, unsigned index) {
  return (index > 1 || in.reg_class[index] == cpu::RegClass::Gpr) && (in.reg[index] & 7) == 0;
}
/// Its number.
inline unsigned gpr_of(const cpu::Insn& in, unsigned index) { return in.reg[index] / 8; }

/// Whether the address of the memory operand is that of a host operand with registers in place of the guest's. A
/// displacement relative to the page may be longer than the one relative to rip.
inline bool plain_address(const cpu::Insn& in) {
  const bool absolute = in.base / 8 == cpu::kGprZero && in.index / 8 == cpu::kGprZero;
  return absolute || in.addr_shift != 0 || in.disp == static_cast<i32>(in.disp);
}
/// The same, and nothing is checked but what every access is checked for.
inline bool plain_memory(const cpu::Insn& in) { return plain_address(in) && !in.has(cpu::Insn::kAlignCheck); }

}  // namespace reprise::jit
