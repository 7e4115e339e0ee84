// What DR0 to DR3 and DR7 ask for: which accesses they match. SDM 3B 17.2.
#pragma once

#include "cpu/core/cpu.h"

namespace reprise::cpu {

/// True when DR7 enables an instruction breakpoint.
bool has_code_breakpoints(const CpuState& state);
/// DR6 bits of the instruction breakpoints at `linear`.
u64 code_breakpoint_hits(const CpuState& state, u64 linear);
/// DR6 bits of the data breakpoints that an access touches.
u64 data_breakpoint_hits(const CpuState& state, u64 linear, u64 bytes, mmu::Access access);
/// Records hits of I/O breakpoints for an IN or OUT of `bytes` at `port`; the instruction stops the block.
void note_port_access(Cpu& cpu, u16 port, unsigned bytes);
/// Tells the MMU which pages to watch, after DR0-DR3, DR7 or CR4.DE changed.
void update_watches(Cpu& cpu);

}  // namespace reprise::cpu
