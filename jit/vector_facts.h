// What decoding leaves out about vector instructions: facts of the rows of the instruction table that re-encode SSE,
// AES, PCLMULQDQ, SHA, AVX and FMA instructions. Independent of the host.
#pragma once

#include "cpu/core/insn.h"

namespace reprise::jit {

struct VectorFacts {
  bool vector = false;  // the row is one of these; the rest holds for others too, as it is here
  bool vex = false;
  bool makes_flags = false;
  bool writes_rcx = false;       // implicitly
  bool explicit_length = false;  // PCMPESTRI and PCMPESTRM: lengths in EAX and EDX
  bool any_alignment = false;    // legacy encoding: a 16-byte memory operand need not be aligned
  bool vex_aligned = false;      // VEX encoding: the memory operand must be aligned
  // The third operand of a VEX encoding.
  bool third_is_gpr = false;
  bool third_is_xmm = false;  // whatever VEX.L says
  u8 third_bytes = 0;         // in memory; 0: a whole vector, or a general register's operand size
  // A fourth operand follows.
  bool immediate_last = false;
  bool register_last = false;
};

const VectorFacts& vector_facts(cpu::Mnemonic mnemonic);

/// The kind of explicit operand `index`, up to 2.
cpu::OperandKind operand_kind(const cpu::Insn& in, unsigned index);
/// Bytes of explicit operand `index` of a vector instruction.
u8 vector_operand_bytes(const cpu::Insn& in, unsigned index);
/// `in` is a vector instruction on XMM, YMM and general registers only.
bool on_vector_registers(const cpu::Insn& in);

}  // namespace reprise::jit
