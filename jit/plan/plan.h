// The plan of a block: what the emission of its instructions knows beyond each of them alone. Independent of
// the host; made by the passes of jit/passes/.
#pragma once

#include <vector>

#include "cpu/core/insn.h"

namespace reprise::jit {

/// Accesses off one base register that share one probe: jit/passes/probe_groups.cpp.
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
  // Status flags as they are before it are not seen by anyone: jit/passes/dead_flags.cpp.
  bool flags_dead = false;
  i32 disp = 0;   // of the access from the base register as it is before this instruction
  i32 shift = 0;  // how far the base register has moved since the group's first instruction
};

struct Plan {
  std::vector<PlannedInsn> insns;
  std::vector<ProbeGroup> groups;
};

}  // namespace reprise::jit
