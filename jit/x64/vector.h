// Emission of SSE, AES and PCLMULQDQ instructions, and of AVX ones, on the guest's XMM and YMM registers: the
// instruction itself, with host registers for the guest's and a probed memory operand. Not those on MMX registers, which
// are the x87's.
#pragma once

#include "jit/jit_options.h"
#include "jit/x64/block_emitter.h"

namespace reprise::jit::x64 {

/// What emit_vector() needs for `in`, or HostRegisters::General when it would not emit it.
HostRegisters vector_registers(const cpu::Insn& in, PassSet passes);

/// Emits `in`, or returns false having emitted nothing.
bool emit_vector(BlockEmitter& e, const cpu::Insn& in, PassSet passes);

}  // namespace reprise::jit::x64
