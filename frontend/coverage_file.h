// What --coverage writes: ranges of addresses, or lines of the kernel's source for lcov.
#pragma once

#include <string>

#include "frontend/options/run_options.h"
#include "frontend/output/standard_descriptors.h"
#include "machine/observe/coverage.h"

namespace reprise::frontend {

/// Its form can be written: what it needs beyond the run is there. Error: a sentence.
Result<Done> check_coverage_file(const RunOptions& options);

/// The content, when the run is over. What stands in the way of the form that was asked for is told to `losses`, and then it is
/// the ranges.
std::string coverage_text(const machine::Coverage& coverage, const machine::Machine& machine,
                          const RunOptions& options, Losses& losses);

}  // namespace reprise::frontend
