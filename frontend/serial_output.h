// Where the guest's serial output goes on the host.
#pragma once

#include <memory>

#include "common/result.h"
#include "devices/backend.h"
#include "frontend/options/run_options.h"

namespace reprise::frontend {

/// Opens (and empties) the file of a File target now, so that a wrong path is known before the run.
Result<std::unique_ptr<devices::CharBackend>> open_serial_output(const SerialTarget& target);

}  // namespace reprise::frontend
