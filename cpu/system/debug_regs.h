// Debug registers: breakpoint matching, MOV DR, and what a debug exception records. SDM 3B 17.2.
#pragma once

#include "cpu/core/breakpoints.h"

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

}  // namespace reprise::cpu
