// A 128-bit binary floating-point value for the insides of the transcendentals: truncating arithmetic with a
// relative error below 2^-125 an operation, and a sticky last bit, so that a final rounding knows which side
// of a representable value it is on.
#pragma once

#include <utility>

#include "cpu/softfloat/env.h"
#include "cpu/softfloat/format.h"
#include "cpu/softfloat/round_pack.h"
#include "cpu/softfloat/wide.h"

namespace reprise::softfloat {

/// (-1)^sign * significand * 2^(exponent - 127), bit 127 set; zero has significand 0.
struct WideFloat {
  bool sign = false;
  i32 exponent = 0;
  u128 significand = 0;

  static constexpr WideFloat of(bool sign, i32 exponent, u128 significand) {
    if (significand == 0) return {sign, 0, 0};
    const int shift = leading_zeros(significand);
    return {sign, exponent - shift, significand << shift};
  }
  static constexpr WideFloat of(const Parts& parts) {
    return {parts.sign, parts.exponent, make_u128(parts.significand, 0)};
  }
  static constexpr WideFloat integer(i64 value) {
    const u64 magnitude = value < 0 ? 0 - static_cast<u64>(value) : static_cast<u64>(value);
    return of(value < 0, 127, magnitude);
  }
  constexpr bool zero() const { return significand == 0; }
  constexpr WideFloat negated() const { return {!sign, exponent, significand}; }
  constexpr WideFloat times_power_of_two(i32 power) const { return {sign, exponent + power, significand}; }
};

/// The high 128 bits of a 256-bit product: a product of two Q0.128 fractions. Error below 2 units.
inline constexpr u128 mul_high(u128 a, u128 b) {
  const u128 low_low = static_cast<u128>(low64(a)) * low64(b);
  const u128 low_high = static_cast<u128>(low64(a)) * high64(b);
  const u128 high_low = static_cast<u128>(high64(a)) * low64(b);
  const u128 high_high = static_cast<u128>(high64(a)) * high64(b);
  const u128 middle = (low_low >> 64) + low64(low_high) + low64(high_low);
  return high_high + (low_high >> 64) + (high_low >> 64) + (middle >> 64);
}

inline constexpr WideFloat operator*(const WideFloat& a, const WideFloat& b) {
  if (a.zero() || b.zero()) return {a.sign != b.sign, 0, 0};
  const u128 product = mul_high(a.significand, b.significand);
  return WideFloat::of(a.sign != b.sign, a.exponent + b.exponent + 1, product | 1);
}

inline constexpr WideFloat operator+(WideFloat a, WideFloat b) {
  if (a.zero()) return b;
  if (b.zero()) return a;
  if (a.exponent < b.exponent || (a.exponent == b.exponent && a.significand < b.significand)) std::swap(a, b);
  const u128 aligned = shift_right_jam(b.significand, static_cast<u32>(a.exponent - b.exponent));
  if (a.sign != b.sign) return WideFloat::of(a.sign, a.exponent, a.significand - aligned);
  const u128 sum = a.significand + aligned;
  if (sum >= a.significand) return {a.sign, a.exponent, sum};
  return {a.sign, a.exponent + 1, (sum >> 1) | (sum & 1) | (u128{1} << 127)};
}
inline constexpr WideFloat operator-(const WideFloat& a, const WideFloat& b) { return a + b.negated(); }

/// `b` is not zero.
inline constexpr WideFloat operator/(const WideFloat& a, const WideFloat& b) {
  if (a.zero()) return {a.sign != b.sign, 0, 0};
  const bool below = a.significand < b.significand;
  u128 remainder = below ? a.significand : a.significand - b.significand;
  const u64 top = high64(b.significand);
  u128 quotient = 0;
  // Two quotient words; each is estimated with the divisor's top word and corrected (Knuth, TAOCP 4.3.1 D).
  for (int word = 0; word < 2; ++word) {
    u128 estimate = remainder / top;
    if (high64(estimate) != 0) estimate = ~u64{0};
    // remainder * 2^64 - estimate * divisor, as 192 bits: high128 with low64.
    const u128 low_product = static_cast<u128>(low64(b.significand)) * low64(estimate);
    const u128 high_product = static_cast<u128>(top) * low64(estimate) + high64(low_product);
    u128 high = remainder - high_product;
    u64 low = 0 - low64(low_product);
    if (low != 0) --high;
    while (static_cast<i128>(high) < 0) {
      --estimate;
      const u64 sum = low + low64(b.significand);
      high += static_cast<u128>(top) + (sum < low ? 1 : 0);
      low = sum;
    }
    quotient = (quotient << 64) | low64(estimate);
    remainder = (high << 64) | low;
  }
  const u128 sticky = remainder != 0 ? 1 : 0;
  if (below) return WideFloat::of(a.sign != b.sign, a.exponent - b.exponent - 1, quotient | sticky);
  // The leading one, and 127 of the 128 quotient bits.
  return {a.sign != b.sign, a.exponent - b.exponent,
          (u128{1} << 127) | (quotient >> 1) | (quotient & 1) | sticky};
}

/// Rounds to the extended format. Values that the function cannot deliver exactly are `inexact`, whatever
/// their last bits.
enum class Exactness : u8 { AsIs, Inexact };
inline Float80 round_wide(FpEnv& env, const WideFloat& value, Exactness exactness) {
  if (value.zero()) {
    env.rounded_up = false;
    return Extended80::zero(value.sign);
  }
  const u64 fraction = low64(value.significand) | (exactness == Exactness::Inexact ? 1 : 0);
  return round_pack80(env, Precision::Extended, value.sign, value.exponent, high64(value.significand),
                      fraction);
}

}  // namespace reprise::softfloat
