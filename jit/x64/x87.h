// Emission of x87 instructions on the guest's x87 registers in the host's: loads, stores, arithmetic, comparisons,
// control and status words. Transcendentals, remainders, environments, FBLD and FNINIT are their handlers'.
#pragma once

#include "jit/jit_options.h"
#include "jit/x64/block_emitter.h"

namespace reprise::jit::x64 {

/// Whether emit_x87() would emit `in`, and whether the guest's FIP is its address then.
bool takes_x87(const cpu::Insn& in, PassSet passes);
bool sets_fip(const cpu::Insn& in);

/// Emits `in`, or returns false having emitted nothing.
bool emit_x87(BlockEmitter& e, const cpu::Insn& in, PassSet passes);

}  // namespace reprise::jit::x64
