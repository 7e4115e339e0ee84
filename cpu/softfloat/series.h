// Alternating and positive power series on Q0.128 fractions, with coefficients made at compile time.
#pragma once

#include <array>

#include "cpu/softfloat/wide_float.h"

namespace reprise::softfloat {

inline constexpr u128 kQOne = ~u128{0};  // 1 - 2^-128: one, in Q0.128

/// `a` < 1 as a Q0.128 fraction; its sign is ignored.
inline constexpr u128 to_fraction(const WideFloat& a) {
  const i32 shift = -1 - a.exponent;
  return a.zero() || shift >= 128 ? 0 : a.significand >> shift;
}

/// z * (c[0] - z * (c[1] - z * (c[2] - ...))) for 0 <= z < 1 and falling coefficients.
template <std::size_t N>
constexpr u128 alternating_series(u128 z, const std::array<u128, N>& c) {
  u128 sum = c[N - 1];
  for (std::size_t k = N - 1; k-- != 0;) sum = c[k] - mul_high(z, sum);
  return mul_high(z, sum);
}

/// z * (c[0] + z * (c[1] + z * (c[2] + ...))); the sums must stay below 1.
template <std::size_t N>
constexpr u128 positive_series(u128 z, const std::array<u128, N>& c) {
  u128 sum = c[N - 1];
  for (std::size_t k = N - 1; k-- != 0;) sum = c[k] + mul_high(z, sum);
  return mul_high(z, sum);
}

/// a * (1 + tail) and a * (1 - tail), `tail` in Q0.128.
inline constexpr WideFloat scaled_up(const WideFloat& a, u128 tail) {
  return a * WideFloat{false, 0, (u128{1} << 127) | (tail >> 1)};
}
inline constexpr WideFloat scaled_down(const WideFloat& a, u128 tail) {
  return a * WideFloat::of(false, -1, kQOne - tail);
}

}  // namespace reprise::softfloat
