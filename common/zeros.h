// Whether bytes are all zero.
#pragma once

#include <cstring>
#include <span>

#include "common/types.h"

namespace reprise {

/// Any thread.
inline bool all_zero(std::span<const u8> bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace reprise
