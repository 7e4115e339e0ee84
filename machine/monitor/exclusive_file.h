// Files that commands of a client's write: only such as were not there.
#pragma once

#include <string>

#include "common/result.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine::monitor {

/// A new file at `path`, to be written. Error: there is something of that name, or can be none, a sentence.
Result<HostFd> exclusive_file(const std::string& path);
/// "'PATH' cannot be written: WHY."
Error not_written(const std::string& path, std::string_view why);

}  // namespace reprise::machine::monitor
