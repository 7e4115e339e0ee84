// Where the guest's serial output goes on the host.
#pragma once

#include <memory>

#include "common/result.h"
#include "devices/backend.h"
#include "frontend/character_line.h"
#include "frontend/options/run_options.h"
#include "frontend/output/open_output.h"
#include "frontend/output/standard_descriptors.h"

namespace reprise::frontend {

struct SerialOutput {
  std::unique_ptr<devices::CharBackend> backend;
  Output* file = nullptr;         // the same, if it is a file
  CharacterLine* line = nullptr;  // the same, if it is a socket, pseudo-terminal or pipe
  std::unique_ptr<Output> log;    // has what goes there, too
  std::unique_ptr<devices::CharBackend> both = nullptr;

  /// What the guest's end is connected with: `end`, which is `backend` or in its place, and the log. Once; both outlive what is returned.
  devices::CharBackend& with_log(devices::CharBackend& end);
};

/// Opens (and empties) the file of a File target now, so that a wrong path is known before the run. `outputs` outlives
/// what is returned.
Result<SerialOutput> open_serial_output(const SerialTarget& target, StandardOutputs& outputs,
                                        OutputOpener& opener);

}  // namespace reprise::frontend
