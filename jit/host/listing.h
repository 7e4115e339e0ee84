// What is told to people about one translation: where the code of each instruction lies, and what was planned.
#pragma once

#include <string>
#include <vector>

#include "common/types.h"

namespace reprise::jit {

struct Listing {
  // Offsets in the block's host code: of the code of each instruction, then the end.
  std::vector<u32> host_at;
  // By instruction; empty strings where nothing is planned.
  std::vector<std::string> plan;
};

}  // namespace reprise::jit
