// Coverage by lines of source, in the form that lcov, genhtml and others read (geninfo(1), "FILES").
#pragma once

#include <string>

#include "machine/observe/coverage.h"
#include "machine/symbols/source_lines.h"

namespace reprise::machine {

/// Every line and function that `lines` has; what was executed counts as 1. The code runs `slide_bytes` above where it was linked.
std::string lcov_text(const ExecutedBytes& executed, const symbols::SourceLines& lines, u64 slide_bytes);

}  // namespace reprise::machine
