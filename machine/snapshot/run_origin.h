// RunOrigin: the command that made a machine, for who makes the same one again.
#pragma once

#include <string>
#include <vector>

#include "machine/snapshot/state_stream.h"

namespace reprise::machine {

struct RunOrigin {
  std::string program;             // and its version
  std::string folder;              // that relative names of files are relative to
  std::vector<std::string> words;  // options that say what the machine is, each in one word
};

/// A section.
void save_origin(StateWriter& writer, const RunOrigin& origin);
/// Its strings may hold anything.
RunOrigin load_origin(StateReader& reader);

}  // namespace reprise::machine
