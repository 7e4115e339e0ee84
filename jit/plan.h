// The plan of a block: what the emission of its instructions knows beyond each of them alone. Independent of
// the host.
//
// Probe groups: accesses off one base register that lie close together share one probe. A probe that hits
// proves that nothing in the group can fault, so the rest of the group needs no check; one that misses hands
// all instructions up to the group's last to their handlers. A group is never open across an instruction whose
// effect on registers or translations is not known here.
#pragma once

#include <span>
#include <vector>

#include "cpu/blocks/block_cache.h"
#include "jit/jit_options.h"

namespace reprise::jit {

struct ProbeGroup {
  u8 base = 0;          // general register number, kGprPageBase or kGprZero
  u8 seg = 0;           // slot in CpuState::seg
  bool writes = false;  // some access does: the probe is one for writing
  u16 first = 0;        // instruction indexes
  u16 last = 0;
  i32 low = 0;  // bytes touched lie in [base + low, base + high), base as before the first instruction
  i32 high = 0;
};

struct PlannedInsn {
  i16 group = -1;      // of its memory access, or -1
  bool stack = false;  // the access is the implicit one through rSP or rBP, not the explicit operand
  i32 disp = 0;        // of the access from the base register as it is before this instruction
  i32 shift = 0;       // how far the base register has moved since the group's first instruction
};

struct Plan {
  std::vector<PlannedInsn> insns;
  std::vector<ProbeGroup> groups;

  /// The plan for 64-bit code, or for flat 32-bit code.
  void make(std::span<const cpu::Insn> block, const JitOptions& options);
};

}  // namespace reprise::jit
