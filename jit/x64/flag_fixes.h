// Fix-ups for hosts whose undefined status flags are not those of docs/undefined.md: emitted after the host's
// instruction, they leave the guest's flags in rax. Each takes scratch registers that are named here.
#pragma once

#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {

/// The host has just made CF; rax had the flags before, and the others stay. Takes scratch 1.
void fix_all_but_carry(BlockEmitter& e);

/// The host has just made the flags `kept` (as LAHF shows them in AH); OF and the others are clear.
void fix_all_but(BlockEmitter& e, u8 kept);

/// The host has just multiplied; `low` is the low half of the product.
void fix_product(BlockEmitter& e, const Gp& low);

/// SHL, SHR or SAR of a whole register by an immediate or CL, with its flags. Takes scratch 1, and scratch 0
/// for registers that live in the Cpu.
void fixed_shift(BlockEmitter& e, const Insn& in, InstId id);

}  // namespace reprise::jit::x64
