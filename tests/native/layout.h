// The address space a case runs in, the same natively and emulated.
#pragma once

#include "common/types.h"

namespace reprise::native {

inline constexpr u64 kCodeLinear = 0x20000000;  // readable, writable, executable; filled with INT3
inline constexpr u64 kCodePages = 2;
inline constexpr u64 kDataLinear = 0x30000000;
inline constexpr u64 kWritablePages = 2;
inline constexpr u64 kDataPages = 3;  // the third is read-only; beyond it nothing is mapped
inline constexpr u64 kDataBytes = kDataPages * kPageBytes;
inline constexpr unsigned kMaxCodeBytes = 64;

}  // namespace reprise::native
