// Registers that come from outside, such as a saved state in a file that somebody else made: values that no program
// can bring about are refused, because the engines rely on that.
#pragma once

#include <string_view>

#include "cpu/profile/cpuid.h"
#include "cpu/state/state.h"

namespace reprise::cpu {

/// Empty: a processor of `profile` can be in this state. Else what it cannot have.
std::string_view impossible_in(const CpuState& state, const CpuProfile& profile);

}  // namespace reprise::cpu
