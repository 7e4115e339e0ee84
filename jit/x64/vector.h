// Emission of SSE moves and integer and bitwise operations on XMM registers.
#pragma once

#include "jit/x64/block_emitter.h"

namespace reprise::jit::x64 {

/// Emits `in`, or returns false having emitted nothing. Nothing that MXCSR or an exception flag has a say in.
bool emit_vector(BlockEmitter& e, const cpu::Insn& in);

}  // namespace reprise::jit::x64
