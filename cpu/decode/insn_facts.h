// What a decoded instruction does to operands and registers, as its row and its form say. For whoever looks at code
// without running it: plan, tracer, debugger.
#pragma once

#include "cpu/core/form_kind.h"
#include "cpu/decode/insn_table.h"

namespace reprise::cpu {

/// The kind of explicit operand `index`, 0 to 3.
OperandKind operand_kind(const Insn& in, unsigned index);

/// What becomes of explicit operand `index`, 0 to 3. None also for one that the form does not have.
Access operand_access(const Insn& in, unsigned index);

/// Explicit operand `index`, 0 to 3, is a general register.
bool general_register(const Insn& in, unsigned index);

/// Bytes of explicit operand `index`, 0 to 3: of all of it, also when an instruction uses the low part of a register. 0:
/// over 255.
u8 operand_bytes(const Insn& in, unsigned index);

/// What the address of a memory operand of `bytes` must be a multiple of, else #GP(0). 1: anything goes.
unsigned required_alignment(const Insn& in, unsigned bytes);

/// Implicit registers that `in` reads and writes, at most. Address registers of its memory operands are not among them.
RegisterSet implicit_reads(const Insn& in);
RegisterSet implicit_writes(const Insn& in);

/// The general registers that may get another value, by an explicit operand or implicitly.
RegisterSet written_gprs(const Insn& in);

}  // namespace reprise::cpu
