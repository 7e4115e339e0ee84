// What a machine has cost so far, as tests count it.
#pragma once

#include "machine/machine.h"
#include "verdict/costs.h"

namespace reprise::frontend {

/// Since the machine was made. Machine thread, or outside of run().
verdict::Costs costs_so_far(machine::Machine& machine);

}  // namespace reprise::frontend
