// Reading a file of the user's, who may have named anything.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine {

/// The bytes of the regular file at `path`, which the user knows as `what` ("kernel", "initrd"). An error
/// names the file: missing, unreadable, not a regular file, empty, or over `max_bytes` (the caller's use for
/// it says why).
Result<std::vector<u8>> read_host_file(const std::string& what, const std::string& path, u64 max_bytes);

/// The size of the regular file at `path`, which is not empty; errors as above.
Result<u64> host_file_bytes(const std::string& what, const std::string& path);

}  // namespace reprise::machine
