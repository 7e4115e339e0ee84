// xxHash (XXH3, 64 bit), behind one header. The only includer of xxhash.h is hash.cpp.
#pragma once

#include <span>

#include "common/types.h"

namespace reprise {

/// XXH3-64 of `bytes` with `seed`. Any thread. Same result on every host.
u64 hash64(std::span<const u8> bytes, u64 seed = 0);

}  // namespace reprise
