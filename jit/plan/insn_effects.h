// What instructions do to general registers and memory, as far as planning asks; and which of them use registers of the
// host other than general ones. Independent of the host.
#pragma once

#include <optional>

#include "cpu/core/insn.h"
#include "cpu/decode/mnemonic.h"
#include "cpu/state/state.h"

namespace reprise::jit {

/// The one memory access of an instruction that may share a probe.
struct MemoryAccess {
  u8 base;  // general register number, kGprPageBase or kGprZero
  u8 seg;
  u8 bytes;
  bool writes;
  bool stack;  // implicit
  i64 disp;
  u8 index = cpu::kGprZero;  // general register number, or kGprZero: none
  u8 scale = 0;              // 0 to 3
  u8 alignment = 1;          // of the linear address, else the instruction fails
};

/// Generated code may hold the row, one of SSE, AES, SHA, AVX or FMA.
bool vector_row(cpu::Mnemonic mnemonic);
/// `in` is of such a row, and on XMM, YMM and general registers only: the MMX registers are the x87's.
bool on_vector_registers(const cpu::Insn& in);
/// Generated code may hold the row, an x87 one.
bool x87_row(cpu::Mnemonic mnemonic);

/// Whether the effects of `in` on general registers are all known here, and it is neither a string
/// instruction nor one that touches translations, modes or the outside.
bool effects_known(const cpu::Insn& in);

/// `in` touches general registers and status flags only, and does not fail: it always goes on behind it, and nobody can look
/// at the guest in between.
bool registers_only(const cpu::Insn& in);

/// What `in`, whose effects are known, does to register `gpr`: adds a constant, or makes it unknown (no value).
std::optional<i32> change_of(const cpu::Insn& in, unsigned gpr);

/// The access at a constant distance from a register, or from one and a scaled other, if `in` makes one in the flat or a
/// based segment.
std::optional<MemoryAccess> access_of(const cpu::Insn& in);

}  // namespace reprise::jit
