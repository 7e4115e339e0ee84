// Rounding and packing: the last step of every operation. Tininess is detected after rounding.
// SDM vol. 1 4.8.4 (rounding), 4.9.1.4-6 (overflow, underflow, precision), 8.1.5.2 (precision control),
// 8.5.4-5 (wrapped results), 10.2.3.3 (flush-to-zero).
#pragma once

#include <algorithm>

#include "cpu/softfloat/env.h"
#include "cpu/softfloat/format.h"
#include "cpu/softfloat/wide.h"

namespace reprise::softfloat {

/// What to add to the dropped bits so that their carry-out is the rounding increment. `half` is the weight of
/// the top dropped bit.
inline u64 rounding_bias(Rounding rounding, bool sign, bool odd, u64 half) {
  if (rounding == Rounding::Nearest) return half - 1 + odd;
  return rounding == (sign ? Rounding::Down : Rounding::Up) ? 2 * half - 1 : 0;
}

/// True when an overflow of this sign delivers infinity rather than the largest finite number.
inline bool overflows_to_infinity(Rounding rounding, bool sign) {
  return rounding == Rounding::Nearest || rounding == (sign ? Rounding::Down : Rounding::Up);
}

template <class F>
typename F::Bits round_pack_extreme(FpEnv& env, bool sign, i32 exponent, u64 significand);

/// Rounds (-1)^sign * significand * 2^(exponent - 63) to an interchange format. Bit 63 of `significand` is
/// set; its bit 0 is sticky.
template <class F>
inline typename F::Bits round_pack(FpEnv& env, bool sign, i32 exponent, u64 significand) {
  constexpr unsigned kDropped = 63 - F::kFractionBits;
  constexpr u64 kDroppedMask = (u64{1} << kDropped) - 1;
  using Bits = typename F::Bits;
  const i32 field = exponent + F::kBias;
  if (static_cast<u32>(field - 1) >= static_cast<u32>(F::kMaxField - 2)) [[unlikely]]
    return round_pack_extreme<F>(env, sign, exponent, significand);
  const u64 kept = significand >> kDropped;
  const u64 dropped = significand & kDroppedMask;
  const u64 bias = rounding_bias(env.rounding, sign, (kept & 1) != 0, u64{1} << (kDropped - 1));
  const u64 increment = (dropped + bias) >> kDropped;
  env.flags |= dropped != 0 ? kPE : 0;
  env.rounded_up = increment != 0;
  // The integer bit of `kept` adds one to the exponent field; a carry adds another.
  const u64 magnitude = (static_cast<u64>(field - 1) << F::kFractionBits) + kept + increment;
  return static_cast<Bits>(F::with_sign(sign) | static_cast<Bits>(magnitude));
}

/// round_pack for exponents that may overflow or underflow.
template <class F>
[[gnu::noinline]] typename F::Bits round_pack_extreme(FpEnv& env, bool sign, i32 exponent, u64 significand) {
  constexpr unsigned kDropped = 63 - F::kFractionBits;
  constexpr u64 kDroppedMask = (u64{1} << kDropped) - 1;
  using Bits = typename F::Bits;
  const i32 field = exponent + F::kBias;
  u64 kept = significand >> kDropped;
  u64 dropped = significand & kDroppedMask;
  const u64 half = u64{1} << (kDropped - 1);
  u64 increment = (dropped + rounding_bias(env.rounding, sign, (kept & 1) != 0, half)) >> kDropped;
  const bool inexact = dropped != 0;
  const bool carries = ((kept + increment) >> (F::kFractionBits + 1)) != 0;
  // The exponent field that the result would have if exponents were unbounded.
  const i32 rounded_field = field + (carries ? 1 : 0);

  if (rounded_field >= F::kMaxField) {
    const bool to_infinity = overflows_to_infinity(env.rounding, sign);
    env.flags |= kOE | (inexact || env.masked(kOE) ? kPE : 0);
    env.rounded_up = to_infinity;
    return to_infinity ? F::infinity(sign) : F::largest(sign);
  }
  if (field > 0) {
    env.flags |= inexact ? kPE : 0;
    env.rounded_up = increment != 0;
    const u64 magnitude = (static_cast<u64>(field - 1) << F::kFractionBits) + kept + increment;
    return static_cast<Bits>(F::with_sign(sign) | static_cast<Bits>(magnitude));
  }
  const bool tiny = rounded_field < 1;
  if (tiny && !env.masked(kUE)) {
    env.flags |= kUE | (inexact ? kPE : 0);
    env.rounded_up = false;
    return F::zero(sign);
  }
  if (tiny && env.ftz) {
    env.flags |= kUE | kPE;
    env.rounded_up = false;
    return F::zero(sign);
  }
  const u64 shifted = shift_right_jam(significand, static_cast<u32>(1 - field));
  kept = shifted >> kDropped;
  dropped = shifted & kDroppedMask;
  increment = (dropped + rounding_bias(env.rounding, sign, (kept & 1) != 0, half)) >> kDropped;
  env.flags |= dropped != 0 ? kPE | (tiny ? kUE : 0) : 0;
  env.rounded_up = increment != 0;
  return static_cast<Bits>(F::with_sign(sign) | static_cast<Bits>(kept + increment));
}

namespace detail {

struct Rounded80 {
  u64 significand;
  bool inexact;
  bool up;
  /// The significand overflowed to 1.0: the exponent grows by one.
  bool carry;
};

/// Rounds significand.fraction to the precision; `fraction` has sticky bit 0.
inline Rounded80 round_significand80(Rounding rounding, Precision precision, bool sign, u64 significand,
                                     u64 fraction) {
  if (precision == Precision::Extended || precision == Precision::Reserved) {
    bool up;
    if (rounding == Rounding::Nearest) {
      up = fraction > kIntegerBit || (fraction == kIntegerBit && (significand & 1) != 0);
    } else {
      up = fraction != 0 && rounding == (sign ? Rounding::Down : Rounding::Up);
    }
    const u64 rounded = significand + up;
    const bool carry = up && rounded == 0;
    return {carry ? kIntegerBit : rounded, fraction != 0, up, carry};
  }
  const unsigned dropped_bits = precision == Precision::Single ? 40 : 11;
  significand = jam(significand, fraction);
  const u64 dropped = significand & ((u64{1} << dropped_bits) - 1);
  const u64 kept = significand >> dropped_bits;
  const u64 bias = rounding_bias(rounding, sign, (kept & 1) != 0, u64{1} << (dropped_bits - 1));
  const bool up = ((dropped + bias) >> dropped_bits) != 0;
  const u64 rounded = (kept + up) << dropped_bits;
  const bool carry = up && rounded == 0;
  return {carry ? kIntegerBit : rounded, dropped != 0, up, carry};
}

}  // namespace detail

/// The cold half of round_pack80.
Float80 round_pack80_extreme(FpEnv& env, Precision precision, bool sign, i32 exponent, u64 significand,
                             u64 fraction);

/// Rounds (-1)^sign * significand.fraction * 2^(exponent - 63) to the extended format at `precision`. Bit 63
/// of `significand` is set; bit 0 of `fraction` is sticky.
inline Float80 round_pack80(FpEnv& env, Precision precision, bool sign, i32 exponent, u64 significand,
                            u64 fraction) {
  const i32 field = exponent + Extended80::kBias;
  if (static_cast<u32>(field - 1) >= static_cast<u32>(Extended80::kMaxField - 2)) [[unlikely]]
    return round_pack80_extreme(env, precision, sign, exponent, significand, fraction);
  const detail::Rounded80 r =
      detail::round_significand80(env.rounding, precision, sign, significand, fraction);
  env.flags |= r.inexact ? kPE : 0;
  env.rounded_up = r.up;
  return Extended80::pack(sign, field + (r.carry ? 1 : 0), r.significand);
}

/// Rounds a wide significand (top bit set, sticky bit 0) to F; extended results obey precision control.
template <class F>
inline typename F::Bits round_pack_wide(FpEnv& env, bool sign, i32 exponent, u128 significand) {
  if constexpr (F::kExtended) {
    return round_pack80(env, env.precision, sign, exponent, high64(significand), low64(significand));
  } else {
    return round_pack<F>(env, sign, exponent, jam(high64(significand), low64(significand)));
  }
}
template <class F>
requires(!F::kExtended) inline typename F::Bits
    round_pack_wide(FpEnv& env, bool sign, i32 exponent, u64 significand) {
  return round_pack<F>(env, sign, exponent, significand);
}

}  // namespace reprise::softfloat
