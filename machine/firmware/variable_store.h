// The file that keeps the variables of UEFI firmware from run to run.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "devices/firmware/pflash.h"

namespace reprise::machine {

class RunFiles;

struct VariableStore {
  std::vector<u8> bytes;
  /// Writes through to the file, which stays open as long as this function lives. Empty: nothing is to be written.
  devices::Pflash::Save save;
};

/// Opens the store at `path` for reading and writing, or makes it as a copy of `initial`. The error names the
/// file: of another size than `initial`, not writable, or in use by another run. In a run that is repeated it has what it
/// had then, and is only read.
Result<VariableStore> open_variable_store(const std::string& path, const std::vector<u8>& initial,
                                          RunFiles& files);

}  // namespace reprise::machine
