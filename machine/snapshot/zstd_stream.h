// Packing and unpacking of a stream with zstd.
#pragma once

#include <memory>

#include "common/result.h"
#include "machine/snapshot/state_stream.h"

namespace reprise::machine {

/// Whether this build has zstd.
bool zstd_is_offered();

/// What is written comes out packed, in `to`, as one frame, which its end() completes. `to` outlives this.
std::unique_ptr<StateSink> zstd_packer(StateSink& to);

/// What is read was packed in the open file `fd`, from its beginning on. Whatever the frame says, it takes at most some MiB
/// of memory.
std::unique_ptr<StateSource> zstd_unpacker(int fd);

}  // namespace reprise::machine
