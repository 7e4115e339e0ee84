// Small pure helpers on bits.
#pragma once

#include <bit>
#include <cstring>
#include <type_traits>

#include "common/types.h"

namespace reprise {

template <class T>
inline constexpr unsigned kBits = 8 * sizeof(T);

template <class T>
using Signed = std::make_signed_t<T>;

/// Bit `index` of `value`, as a bool.
template <class T>
constexpr bool bit(T value, unsigned index) {
  return ((value >> index) & 1) != 0;
}

/// `count` bits of `value` from bit `low` up.
constexpr u64 field(u64 value, unsigned low, unsigned count) {
  return (value >> low) & (count >= 64 ? ~u64{0} : (u64{1} << count) - 1);
}

/// The low `bits` bits of `value`, sign-extended to 64.
constexpr u64 sign_extend(u64 value, unsigned bits) {
  return static_cast<u64>(static_cast<i64>(value << (64 - bits)) >> (64 - bits));
}

constexpr u64 align_down(u64 value, u64 alignment) { return value & ~(alignment - 1); }
constexpr u64 align_up(u64 value, u64 alignment) { return (value + alignment - 1) & ~(alignment - 1); }

/// True when the low byte of `value` has an even number of ones (the x86 PF rule).
constexpr bool even_parity(u64 value) { return (std::popcount(value & 0xff) & 1) == 0; }

/// Reads a T from host memory of any alignment.
template <class T>
inline T read_unaligned(const void* host) {
  T value;
  std::memcpy(&value, host, sizeof(T));
  return value;
}

/// Writes a T to host memory of any alignment.
template <class T>
inline void write_unaligned(void* host, T value) {
  std::memcpy(host, &value, sizeof(T));
}

}  // namespace reprise
