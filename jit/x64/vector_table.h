// The host's instruction for each row of the instruction table that is one of vectors.
#pragma once

#include "cpu/decode/mnemonic.h"
#include "jit/x64/emitter.h"

namespace reprise::jit::x64 {

/// 0: not emitted, or the host does not have it. `wide`: with VEX.L = 1.
asmjit::InstId host_vector_instruction(cpu::Mnemonic mnemonic, bool wide);

/// Whether the host's instruction gives what ours does in special cases, too, where those differ by vendor.
bool host_agrees(cpu::Mnemonic mnemonic);

/// By the row's name; 0 when the assembler has none.
asmjit::InstId host_instruction(cpu::Mnemonic mnemonic);

}  // namespace reprise::jit::x64
