// CodeImage: a back end's memory for code, as it may be put into that of another run.
#pragma once

#include <array>
#include <span>

#include "common/types.h"

namespace reprise::jit {

struct CodeImage {
  static constexpr unsigned kMaxParts = 8;

  u32 parts = 0;
  u32 part = 0;                            // that is being filled
  u64 begin = 0;                           // of the first part: what all regions share, which is not in here
  std::array<u64, kMaxParts> used{};       // bytes of hot code, from the beginning of each part
  std::array<u64, kMaxParts> used_cold{};  // of cold code
  std::span<const u8> bytes;               // those, hot and cold of one part after the other
};

}  // namespace reprise::jit
