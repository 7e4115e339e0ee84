// Files that a run was given, and a medium that comes later.
#pragma once

#include "common/result.h"
#include "frontend/options/run_options.h"

namespace reprise::frontend {

/// That a drive may get `medium` during a run of `options`: what one of them writes, no other may use. An error is a
/// sentence.
Result<Done> check_medium(const RunOptions& options, const machine::DiskConfig& medium);

}  // namespace reprise::frontend
