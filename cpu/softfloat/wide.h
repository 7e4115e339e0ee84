// Double-width integer helpers for significands.
#pragma once

#include <bit>

#include "common/types.h"

namespace reprise::softfloat {

inline constexpr u128 make_u128(u64 high, u64 low) { return (static_cast<u128>(high) << 64) | low; }
inline constexpr u64 high64(u128 value) { return static_cast<u64>(value >> 64); }
inline constexpr u64 low64(u128 value) { return static_cast<u64>(value); }

/// `high` with bit 0 also set when `low` is not zero.
inline constexpr u64 jam(u64 high, u64 low) { return high | static_cast<u64>(low != 0); }

inline constexpr int leading_zeros(u64 value) { return std::countl_zero(value); }
inline constexpr int leading_zeros(u128 value) {
  return high64(value) != 0 ? std::countl_zero(high64(value)) : 64 + std::countl_zero(low64(value));
}

/// `value` shifted right, the bits lost ORed into bit 0. Any distance.
inline constexpr u64 shift_right_jam(u64 value, u32 distance) {
  if (distance >= 64) return value != 0;
  return (value >> distance) | static_cast<u64>((value & ((u64{1} << distance) - 1)) != 0);
}
inline constexpr u128 shift_right_jam(u128 value, u32 distance) {
  if (distance >= 128) return value != 0;
  return (value >> distance) | static_cast<u128>((value & ((u128{1} << distance) - 1)) != 0);
}

struct Division {
  u64 quotient;
  u64 remainder;
};

/// (high:low) / divisor, for high < divisor.
inline constexpr Division divide(u64 high, u64 low, u64 divisor) {
  const u128 dividend = make_u128(high, low);
  const u64 quotient = low64(dividend / divisor);
  return {quotient, low - quotient * divisor};
}

}  // namespace reprise::softfloat
