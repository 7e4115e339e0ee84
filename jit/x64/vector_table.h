// The vector instructions that are re-encoded: the host's instruction for each row of the instruction table, and what
// re-encoding must know beyond the operands that were decoded.
#pragma once

#include "cpu/mnemonic.h"
#include "jit/x64/emitter.h"

namespace reprise::jit::x64 {

struct VectorRow {
  asmjit::InstId sse = 0;  // 0: not emitted
  asmjit::InstId vex = 0;
  bool makes_flags = false;
  bool any_alignment = false;   // legacy encoding: a 16-byte memory operand need not be aligned
  bool vex_aligned = false;     // VEX encoding: memory operand must be aligned
  bool explicit_length = false; // PCMPESTRI and PCMPESTRM: lengths in EAX and EDX
  u8 scalar_bytes = 0;          // of a memory operand that is not a whole vector; VEX encoding, third operand
};

const VectorRow& vector_row(cpu::Mnemonic mnemonic);

}  // namespace reprise::jit::x64
