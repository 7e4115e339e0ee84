// What `reprise ask` does: questions about a recorded run, which has come to its end, or to where they are about.
#pragma once

#include <string>
#include <vector>

#include "frontend/output/standard_descriptors.h"
#include "machine/monitor/monitor.h"
#include "machine/run_result.h"

namespace reprise::frontend {

/// The lines that `words` are: each one by itself if there are blanks in one of them, else all of them together.
std::vector<std::string> questions_of(const std::vector<std::string>& words);
/// Throws BadValue: one of them is none that only looks.
void check_questions(const std::vector<std::string>& questions);

/// Prints the answers. `run` is how the run ended that they are about; the result is what the command comes to.
machine::RunResult answer_questions(machine::monitor::Monitor& monitor,
                                    const std::vector<std::string>& questions, bool as_json,
                                    machine::RunResult run, StandardOutputs& outputs);

}  // namespace reprise::frontend
