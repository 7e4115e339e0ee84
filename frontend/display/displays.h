// The displays of a run.
#pragma once

#include <memory>
#include <vector>

#include "common/result.h"
#include "frontend/display/display.h"
#include "frontend/display/display_choice.h"

namespace reprise::machine {
class Machine;
}

namespace reprise::frontend {

/// Before run(); they are destroyed after it, and `machine` outlives them. `say` is told what becomes of them. Error: one of them
/// cannot be.
Result<std::vector<std::unique_ptr<Display>>> open_displays(const std::vector<DisplayChoice>& choices,
                                                            machine::Machine& machine, const SayToUser& say);

}  // namespace reprise::frontend
