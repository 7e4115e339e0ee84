// --narrow: where a replay that differs from its recording goes wrong.
#pragma once

#include <string>

#include "frontend/options/run_options.h"
#include "machine/run_result.h"

namespace reprise::frontend {

/// Lines about the replay that `options` asked for, which another engine makes again beside it.
std::string narrow_replay(const RunOptions& options, const machine::ReplaySpan& span);

}  // namespace reprise::frontend
