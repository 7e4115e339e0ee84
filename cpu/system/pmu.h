// The performance counters as a program sees them: MSRs and RDPMC. SDM 3B 20.2; SDM 4 table 2-2.
#pragma once

#include "cpu/core/cpu.h"

namespace reprise::cpu {

// As rows of the table of MSRs have it. False: #GP(0), and nothing has changed.
bool read_counter_msr(Cpu& cpu, u32 msr, u64& value);
bool write_counter_msr(Cpu& cpu, u32 msr, u64 value);
bool read_counter_control(Cpu& cpu, u32 msr, u64& value);
bool write_counter_control(Cpu& cpu, u32 msr, u64 value);

/// RDPMC of what ECX names. False: there is no such counter.
bool read_counter(Cpu& cpu, u32 number, u64& value);

}  // namespace reprise::cpu
