// Emission of integer instructions, moves, branches and the stack.
#pragma once

#include "jit/x64/block_emitter.h"

namespace reprise::jit::x64 {

/// Emits `in`, or returns false having emitted nothing: its handler runs it then. 64-bit mode only.
bool emit_integer(BlockEmitter& e, const cpu::Insn& in);

/// Whether emit_integer() gives `in` the flags it shall have on hosts that leave others.
bool fixes_host_flags(const cpu::Insn& in);

}  // namespace reprise::jit::x64
