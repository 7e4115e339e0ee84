// FSIN, FCOS, FSINCOS, FPTAN. SDM 1 8.3.8-8.3.10, vol. 2.
// Arguments are reduced exactly, modulo pi/2 for the x87's own pi of 66 significant bits, and the functions
// of the remainder are then accurate to about 2^-110 before the one rounding.
#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/series.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

/// The x87's pi, in units of 2^-64; equally pi/2 in units of 2^-65. SDM 1 8.3.8.
constexpr u128 kPi66 = make_u128(3, 0x243f6a8885a308d3);

/// 1/3!, 1/5!, ... and 1/2!, 1/4!, ... in Q0.128.
template <unsigned kFirst>
constexpr auto kReciprocalFactorials = [] {
  std::array<u128, 15> c{};
  u128 factorial = 1;
  for (unsigned n = 2; n < kFirst; ++n) factorial *= n;
  for (unsigned k = 0; k < c.size(); ++k) {
    const unsigned n = kFirst + 2 * k;
    factorial *= k == 0 ? u128{n} : u128{n} * (n - 1);
    c[k] = kQOne / factorial;
  }
  return c;
}();

struct Reduced {
  WideFloat remainder;  // |remainder| <= pi/4
  unsigned quadrant = 0;
};

/// For finite non-zero x below 2^63.
Reduced reduce(const Parts& x) {
  // Below 2^-1 no reduction is needed.
  if (x.exponent < -1) return {WideFloat::of(x), 0};
  // x in units of 2^-65: exact, and below 2^128.
  const u128 units = static_cast<u128>(x.significand) << (x.exponent + 2);
  u128 quotient = units / kPi66;
  u128 rest = units - quotient * kPi66;
  bool sign = x.sign;
  if (rest > kPi66 / 2) {
    rest = kPi66 - rest;
    sign = !sign;
    ++quotient;
  }
  const unsigned turns = static_cast<unsigned>(quotient) & 3;
  return {WideFloat::of(sign, 127 - 65, rest), x.sign ? (4 - turns) & 3 : turns};
}

/// Below this exponent two terms of a series are exact to 2^-125.
constexpr i32 kTinyExponent = -32;

u128 at_least_one(u128 tail) { return tail != 0 ? tail : 1; }

WideFloat sine(const WideFloat& r) {
  if (r.zero()) return r;
  if (r.exponent < kTinyExponent) return r - r * r * r / WideFloat::integer(6);
  const u128 x = to_fraction(r);
  return scaled_down(r, alternating_series(mul_high(x, x), kReciprocalFactorials<3>));
}

WideFloat cosine(const WideFloat& r) {
  const u128 x = to_fraction(r);
  return WideFloat::of(false, -1,
                       kQOne - at_least_one(alternating_series(mul_high(x, x), kReciprocalFactorials<2>)));
}

WideFloat sine_of(const Reduced& x) {
  const WideFloat value = (x.quadrant & 1) != 0 ? cosine(x.remainder) : sine(x.remainder);
  return (x.quadrant & 2) != 0 ? value.negated() : value;
}
WideFloat cosine_of(const Reduced& x) {
  const WideFloat value = (x.quadrant & 1) != 0 ? sine(x.remainder).negated() : cosine(x.remainder);
  return (x.quadrant & 2) != 0 ? value.negated() : value;
}
WideFloat tangent_of(const Reduced& x) {
  const WideFloat& r = x.remainder;
  if (x.quadrant == 0 && r.exponent < kTinyExponent) return r + r * r * r / WideFloat::integer(3);
  return sine_of(x) / cosine_of(x);
}

/// Answers for zeros, infinities, NaNs and stopped operations; false when `x` is an ordinary argument.
bool special_argument(FpEnv& env, Float80 a, const Parts& x, Float80 at_zero, Float80& result) {
  if (x.nan()) {
    result = propagate_nan<Extended80>(env, a, x);
    return true;
  }
  env.rounded_up = false;
  if (x.infinite()) {
    result = invalid<Extended80>(env);
    return true;
  }
  if (x.zero()) {
    result = at_zero;
    return true;
  }
  result = Extended80::default_nan();
  return !accept_denormals(env, x);
}

constexpr Float80 kOne = Extended80::pack(false, Extended80::kBias, kIntegerBit);

/// An argument in the lowest binade is its own sine, inexactly and without underflow, in every rounding mode.
bool own_sine(FpEnv& env, Float80 a, const Parts& x, Float80& result) {
  if (x.exponent != 1 - static_cast<int>(Extended80::kBias)) return false;
  result = {a.significand, static_cast<u16>(a.sign_exponent | 1)};
  env.flags |= kPE;
  return true;
}

}  // namespace

bool out_of_trigonometric_range(Float80 a) {
  const Parts x = Extended80::unpack(a);
  return !x.nan() && !x.infinite() && !x.zero() && x.exponent >= 63;
}

Float80 sin(FpEnv& env, Float80 a) {
  const Parts x = Extended80::unpack(a);
  Float80 result;
  if (special_argument(env, a, x, a, result) || own_sine(env, a, x, result)) return result;
  return round_wide(env, sine_of(reduce(x)), Exactness::Inexact);
}

Float80 cos(FpEnv& env, Float80 a) {
  const Parts x = Extended80::unpack(a);
  Float80 result;
  if (special_argument(env, a, x, kOne, result)) return result;
  return round_wide(env, cosine_of(reduce(x)), Exactness::Inexact);
}

SineCosine sincos(FpEnv& env, Float80 a) {
  const Parts x = Extended80::unpack(a);
  Float80 result;
  if (special_argument(env, a, x, a, result)) return {result, x.zero() ? kOne : result};
  const Reduced reduced = reduce(x);
  Float80 sine;
  if (!own_sine(env, a, x, sine)) sine = round_wide(env, sine_of(reduced), Exactness::Inexact);
  return {sine, round_wide(env, cosine_of(reduced), Exactness::Inexact)};
}

Float80 tan(FpEnv& env, Float80 a) {
  const Parts x = Extended80::unpack(a);
  Float80 result;
  if (special_argument(env, a, x, a, result)) return result;
  return round_wide(env, tangent_of(reduce(x)), Exactness::Inexact);
}

}  // namespace reprise::softfloat
