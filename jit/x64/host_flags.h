// HostFlags: which instructions with undefined status flags leave on this host what docs/undefined.md says,
// so that they can be re-encoded as they are. Found by running each on the host and by its body, on operands
// that tell the known processors apart.
#pragma once

#include <bitset>

#include "cpu/core/cpu.h"
#include "jit/x64/code_arena.h"

namespace reprise::jit::x64 {

class HostFlags {
 public:
  /// Nothing agrees.
  HostFlags() = default;
  /// Runs the bodies on `cpu`, whose state is the same afterwards; takes no room in `arena`.
  static HostFlags measure(cpu::Cpu& cpu, CodeArena& arena);

  /// The same for hosts that agree on the same.
  u64 digest() const;
  /// Whether the host's instruction gives the flags, and the result, of the body of `in`.
  bool agree(const cpu::Insn& in) const;

 private:
  static constexpr unsigned kMnemonics = 2048;
  std::bitset<kMnemonics> agree_;
};

}  // namespace reprise::jit::x64
