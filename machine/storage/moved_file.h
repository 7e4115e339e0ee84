// Where a file of a run is now: --image NAME=PATH.
#pragma once

#include <string>

namespace reprise::machine {

/// The name is as the run has it: the whole, as it was given, or without its folders.
struct MovedFile {
  std::string name;
  std::string path;
};

}  // namespace reprise::machine
