// Model-specific registers: one table of what RDMSR and WRMSR do. SDM volume 4 chapter 2.
#pragma once

#include <string_view>

#include "cpu/core/cpu.h"

namespace reprise::cpu {

/// False: the register does not exist or does not take the value (#GP(0)). Nothing has changed then.
[[nodiscard]] bool read_msr(Cpu& cpu, u32 msr, u64& value);
[[nodiscard]] bool write_msr(Cpu& cpu, u32 msr, u64 value);

/// The manual's name of a register, or "?".
std::string_view msr_name(u32 msr);

/// IA32_APIC_BASE bit 11.
bool local_apic_enabled(Cpu& cpu);

/// The guest's time-stamp counter: 1 GHz of virtual time plus the offset the guest set.
u64 time_stamp_counter(Cpu& cpu);

}  // namespace reprise::cpu
