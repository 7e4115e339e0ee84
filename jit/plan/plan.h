// The plan of a block: what the emission of its instructions knows beyond each of them alone. Independent of
// the host; made by the passes of jit/passes/.
#pragma once

#include <vector>

#include "cpu/core/insn.h"

namespace reprise::jit {

/// Accesses off one base register, or off the sum of it and a scaled index, that share one probe:
/// jit/passes/probe_groups.cpp.
struct ProbeGroup {
  u8 base = 0;          // general register number, kGprPageBase or kGprZero
  u8 index = 0;         // general register number or kGprZero
  u8 scale = 0;         // 0 to 3
  u8 seg = 0;           // slot in CpuState::seg
  bool writes = false;  // some access does: the probe is one for writing
  u16 first = 0;        // instruction indexes
  u16 last = 0;
  i32 low = 0;  // bytes touched lie in [sum + low, sum + high), registers as before the first instruction
  i32 high = 0;
  // The address at `aligned` from the sum must be a multiple of this, checked with the probe; 1: it need not.
  u8 alignment = 1;
  i32 aligned = 0;
};

struct PlannedInsn {
  i16 group = -1;      // of its memory access, or -1
  bool stack = false;  // the access is the implicit one through rSP or rBP, not the explicit operand
  // Status flags as they are before it are not seen by anyone: jit/passes/dead_flags.cpp.
  bool flags_dead = false;
  // Status flags as they are before it are those that this instruction made; none that is to come reads them, and while
  // something may show them the registers tell them: jit/passes/remade_flags.cpp. -1: not so.
  i16 flags_of = -1;
  bool aligned = false;  // the check of its group tells that the access is aligned as it must be
  i32 disp = 0;          // of the access from the sum of registers as it is before this instruction
  i32 shift = 0;         // how far that has moved since the group's first instruction
};

struct Plan {
  std::vector<PlannedInsn> insns;
  std::vector<ProbeGroup> groups;
};

}  // namespace reprise::jit
