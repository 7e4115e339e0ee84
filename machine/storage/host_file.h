// Reading a file of the user's, who may have named anything.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::machine {

class RunFiles;

/// A file that was read, for who wants to repeat the run.
struct FileRead {
  std::string what;
  std::string path;
  u64 bytes = 0;
  i64 modified_unix_ns = 0;
  u64 digest = 0;  // hash64 of all of it
};

/// The bytes of the regular file at `path`, which the user knows as `what` ("kernel", "initrd"). An error
/// names the file: missing, unreadable, not a regular file, empty, or over `max_bytes` (the caller's use for
/// it says why).
/// `files`, if any, say where it is, and note what was read.
Result<std::vector<u8>> read_host_file(const std::string& what, const std::string& path, u64 max_bytes,
                                       RunFiles* files = nullptr);

/// Its first `max_bytes` bytes, or all; errors as above.
Result<std::vector<u8>> read_host_head(const std::string& what, const std::string& path, u64 max_bytes,
                                       RunFiles* files = nullptr);

/// The size of the regular file at `path`, which is not empty; errors as above.
Result<u64> host_file_bytes(const std::string& what, const std::string& path, RunFiles* files = nullptr);

}  // namespace reprise::machine
