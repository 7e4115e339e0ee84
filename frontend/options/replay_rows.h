// The options of `reprise replay`: the recording, and those of `reprise run` that do not say what the machine is.
#pragma once

#include <span>

#include "frontend/options/run_rows.h"

namespace reprise::frontend {

std::span<const OptionGroup<RunDraft>> replay_option_groups();
/// Those of `reprise pack`.
std::span<const OptionGroup<RunDraft>> pack_option_groups();

/// Those of `reprise ask`.
std::span<const OptionGroup<RunDraft>> ask_option_groups();

}  // namespace reprise::frontend
