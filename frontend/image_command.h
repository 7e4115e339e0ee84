// reprise image create|info|commit.
#pragma once

#include <string>
#include <vector>

#include "frontend/output/standard_descriptors.h"

namespace reprise::frontend {

/// `words` are the arguments after "image". Prints; returns the exit code: 0, 2 for wrong usage, 20 when the
/// host failed.
int image_command(const std::vector<std::string>& words, StandardOutputs& outputs);

}  // namespace reprise::frontend
