// Two processor states, compared for a person.
#pragma once

#include <string>

#include "cpu/state/state.h"

namespace reprise::machine {

/// Whether they are equal in all the guest can see.
bool same_state(const cpu::CpuState& one, const cpu::CpuState& other);
/// A line for each register that differs: name, `one`, `other`.
std::string state_difference(const cpu::CpuState& one, const cpu::CpuState& other);

}  // namespace reprise::machine
