// One seed for each part of the machine that draws random numbers, made out of the machine's.
#pragma once

#include "common/types.h"

namespace reprise::machine {

/// Processors have their own number; the other parts come after them.
inline constexpr u64 kVirtioRngSeed = 0x1000;
inline constexpr u64 kGenerationIdSeed = 0x2000;  // and the next one

/// splitmix64: the seed of part `index` of a machine with `seed`.
constexpr u64 derive_seed(u64 seed, u64 index) {
  u64 z = seed + (index + 1) * 0x9e37'79b9'7f4a'7c15;
  z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
  z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
  return z ^ (z >> 31);
}

}  // namespace reprise::machine
