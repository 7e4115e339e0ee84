// The kinds of an instruction's operands, out of its form.
#pragma once

#include "cpu/core/insn.h"

namespace reprise::cpu {

/// Of explicit operand `index`, 0 to 2; a fourth is what the row says (cpu/decode/insn_facts.h).
inline OperandKind form_kind(const Insn& in, unsigned index) {
  return static_cast<OperandKind>(index == 2 ? in.kind2 : static_cast<unsigned>(in.form) >> (2 * index) & 3);
}

}  // namespace reprise::cpu
