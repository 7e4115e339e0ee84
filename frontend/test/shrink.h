// --shrink: of a run that failed, the fewest handovers from one processor to another with which it fails in the same way, told of as places.
#pragma once

#include <string>

#include "frontend/output/standard_descriptors.h"
#include "frontend/test/run_plan.h"
#include "frontend/test/test_request.h"

namespace reprise::frontend {

/// Tells of them on standard output, and how to repeat it. `folder` is for files that go. Error: a sentence; nothing is known then.
Result<Done> shrink_run(const PlannedRun& run, const TestRequest& request, const std::string& folder,
                        std::size_t jobs, StandardOutputs& outputs);

}  // namespace reprise::frontend
