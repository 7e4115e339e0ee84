// Debug registers: breakpoint matching, MOV DR, and what a debug exception records. SDM 3B 17.2.
#pragma once

#include "cpu/core/cpu.h"

namespace reprise::cpu {

inline constexpr u64 kDr6Bd = 1u << 13;  // debug register access detected
inline constexpr u64 kDr6Bs = 1u << 14;  // single step
inline constexpr u64 kDr6Bt = 1u << 15;  // task switch
inline constexpr u64 kDr6Hits = 0xf;
inline constexpr u64 kDr7Gd = 1u << 13;
inline constexpr u64 kDr6Fixed = 0xffff0ff0;
inline constexpr u64 kDr7Fixed = 0x400;
inline constexpr u64 kDr7Defined = 0xffff23ff;

/// DR6 and DR7 as delivery of a debug exception leaves them.
void record_debug_exception(CpuState& state, u64 dr6_bits);

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
