#include "common/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace reprise {

u64 hash64(std::span<const u8> bytes, u64 seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace reprise
