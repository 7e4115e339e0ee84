// Addition of aligned significands, shared by add, sub and fma.
#pragma once

#include <utility>

#include "cpu/softfloat/round_pack.h"

namespace reprise::softfloat {

/// One addend: (-1)^sign * significand * 2^(exponent - (bits of Wide - 1)), top bit of the significand set.
/// At least two low bits of each significand are zero unless Wide is exact for the sum, so that a jammed bit
/// rounds right.
template <class Wide>
struct Addend {
  bool sign;
  i32 exponent;
  Wide significand;
};

template <class F, class Wide>
inline typename F::Bits add_rounded(FpEnv& env, Addend<Wide> a, Addend<Wide> b) {
  if (a.exponent < b.exponent || (a.exponent == b.exponent && a.significand < b.significand)) std::swap(a, b);
  const u32 distance = static_cast<u32>(a.exponent - b.exponent);
  if (a.sign == b.sign) {
    Wide sum = (a.significand >> 1) + shift_right_jam(static_cast<Wide>(b.significand >> 1), distance);
    const int shift = leading_zeros(sum);
    sum <<= shift;
    return round_pack_wide<F>(env, a.sign, a.exponent + 1 - shift, sum);
  }
  Wide difference = a.significand - shift_right_jam(b.significand, distance);
  if (difference == 0) {
    env.rounded_up = false;
    return F::zero(env.rounding == Rounding::Down);
  }
  const int shift = leading_zeros(difference);
  difference <<= shift;
  return round_pack_wide<F>(env, a.sign, a.exponent - shift, difference);
}

/// A significand of 64 bits as the top of F's wide type.
template <class Wide>
inline Wide widen_significand(u64 significand) {
  return static_cast<Wide>(significand) << (8 * sizeof(Wide) - 64);
}

}  // namespace reprise::softfloat
