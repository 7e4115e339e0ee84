// Many runs of `reprise test`: each a process of its own, so many at a time, and their results together. One that was interrupted
// goes on where it was when the same command is given again.
#pragma once

#include <string>
#include <vector>

#include "frontend/output/standard_descriptors.h"
#include "frontend/test/test_request.h"
#include "verdict/outcome.h"

namespace reprise::frontend {

/// `command` is the words behind "reprise". Signals that end a process are held back. Returns the exit code.
int many_runs(TestRequest request, const std::vector<std::string>& command, StandardOutputs& outputs);

/// Where the results of many runs are written; an empty path: nowhere, "-": standard output.
struct ResultPaths {
  std::string junit;
  std::string json;
  std::string tap;
  AnnotationForm annotations = AnnotationForm::None;
  CostLimits costs;
};

/// Writes what came of all of them, and says it in a line. Returns the exit code.
int tell_of_all(std::vector<verdict::Outcome> outcomes, const ResultPaths& paths, StandardOutputs& outputs);

}  // namespace reprise::frontend
