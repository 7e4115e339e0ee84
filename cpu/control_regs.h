// Control registers and EFER: reserved bits, mode transitions, and what each write tells the MMU. SDM 3A 2.5, 4, 9.
#pragma once

#include "cpu/cpu.h"

namespace reprise::cpu {

// Each returns false after raising #GP(0); nothing has changed then.
[[nodiscard]] bool write_cr0(Cpu& cpu, u64 value);
[[nodiscard]] bool write_cr3(Cpu& cpu, u64 value);
[[nodiscard]] bool write_cr4(Cpu& cpu, u64 value);
[[nodiscard]] bool write_efer(Cpu& cpu, u64 value);
[[nodiscard]] bool write_xcr0(Cpu& cpu, u64 value);

/// CR4 bits the profile offers.
u64 allowed_cr4(const CpuProfile& profile);
/// XCR0 bits the profile offers.
u64 allowed_xcr0(const CpuProfile& profile);

}  // namespace reprise::cpu
