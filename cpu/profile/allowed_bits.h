// Which bits of control registers a profile offers; the others are reserved. SDM 3A 2.2.1, 2.5, 2.6.
#pragma once

#include "cpu/profile/cpuid.h"

namespace reprise::cpu {

/// EFER bits the profile offers, LMA included.
u64 allowed_efer(const CpuProfile& profile);
/// CR4 bits the profile offers.
u64 allowed_cr4(const CpuProfile& profile);
/// XCR0 bits the profile offers.
u64 allowed_xcr0(const CpuProfile& profile);

}  // namespace reprise::cpu
