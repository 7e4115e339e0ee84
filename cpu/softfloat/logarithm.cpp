// FYL2X and FYL2XP1. SDM vol. 2, tables 3-60 and 3-61.
// log2(m) = 2 / ln 2 * atanh((m - 1) / (m + 1)) with m in [1/sqrt 2, sqrt 2], by its series.
#include "cpu/softfloat/constants.h"
#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/series.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

/// 1/3, 1/5, ... in Q0.128; enough terms for arguments up to 0.1716^2.
constexpr auto kReciprocalOdds = [] {
  std::array<u128, 23> c{};
  for (unsigned k = 0; k < c.size(); ++k) c[k] = kQOne / (2 * k + 3);
  return c;
}();

/// 2 / ln 2 * atanh(s) for |s| < 0.172.
WideFloat log2_of_quotient(const WideFloat& s) {
  if (s.zero()) return s;
  const u128 x = to_fraction(s);
  return scaled_up(s, positive_series(mul_high(x, x), kReciprocalOdds)) * kTwoOverLn2;
}

constexpr WideFloat kOne = WideFloat::integer(1);
/// sqrt(2), to the precision that choosing a range needs.
constexpr u128 kRootTwo = make_u128(0xb504f333f9de6484, 0);

/// For x > 0.
WideFloat log2_of(WideFloat x) {
  i32 power = x.exponent;
  x.exponent = 0;
  if (x.significand > kRootTwo) {
    x.exponent = -1;
    ++power;
  }
  return WideFloat::integer(power) + log2_of_quotient((x - kOne) / (x + kOne));
}

/// y * log2(x) for x > 0, finite non-zero y and x not 1. The product with the logarithm of a power of two is
/// exact before it is rounded; PE comes with every result, and UE with every denormal one.
Float80 product_with_log2(FpEnv& env, const Parts& y, const WideFloat& x) {
  env.flags |= kPE;
  const bool power_of_two = x.significand == u128{1} << 127;
  if (!power_of_two) return round_wide(env, WideFloat::of(y) * log2_of(x), Exactness::Inexact);
  const u32 magnitude = static_cast<u32>(x.exponent < 0 ? -x.exponent : x.exponent);
  const u128 product = static_cast<u128>(y.significand) * magnitude;
  const Float80 result =
      round_wide(env, WideFloat::of(y.sign != (x.exponent < 0), y.exponent + 64, product), Exactness::AsIs);
  if (Extended80::field(result) == 0) env.flags |= kUE;
  return result;
}

/// y times an exact zero, an infinity or a number of known sign.
Float80 zero_of(const Parts& y, bool sign) { return Extended80::zero(y.sign != sign); }
Float80 infinity_of(const Parts& y, bool sign) { return Extended80::infinity(y.sign != sign); }

}  // namespace

Float80 yl2x(FpEnv& env, Float80 y, Float80 x) {
  const Parts py = Extended80::unpack(y);
  const Parts px = Extended80::unpack(x);
  if (px.nan() || py.nan()) return propagate_nan<Extended80>(env, x, y, px, py);
  env.rounded_up = false;
  if (px.sign && !px.zero()) return invalid<Extended80>(env);
  if (px.zero()) {
    if (py.zero()) return invalid<Extended80>(env);
    if (py.infinite()) return infinity_of(py, true);
    env.raise(kZE);
    return infinity_of(py, true);
  }
  const bool one = px.kind == Kind::Normal && px.exponent == 0 && px.significand == kIntegerBit;
  if ((px.infinite() && py.zero()) || (one && py.infinite())) return invalid<Extended80>(env);
  if (!accept_denormals(env, px, py)) return Extended80::default_nan();
  const bool below_one = !px.infinite() && px.exponent < 0;
  if (one) return zero_of(py, false);
  if (py.zero()) return zero_of(py, below_one);
  if (px.infinite() || py.infinite()) return infinity_of(py, below_one);
  return product_with_log2(env, py, WideFloat::of(px));
}

Float80 yl2xp1(FpEnv& env, Float80 y, Float80 x) {
  const Parts py = Extended80::unpack(y);
  const Parts px = Extended80::unpack(x);
  if (px.nan() || py.nan()) return propagate_nan<Extended80>(env, x, y, px, py);
  env.rounded_up = false;
  if (px.infinite()) {
    if (px.sign || py.zero()) return invalid<Extended80>(env);
    if (!accept_denormals(env, py)) return Extended80::default_nan();
    return infinity_of(py, false);
  }
  if (px.zero()) {
    if (py.infinite()) return invalid<Extended80>(env);
    if (!accept_denormals(env, py)) return Extended80::default_nan();
    return zero_of(py, px.sign);
  }
  if (!accept_denormals(env, px, py)) return Extended80::default_nan();
  if (py.zero()) return zero_of(py, px.sign);
  if (py.infinite()) return infinity_of(py, px.sign);
  // Undefined: x at or below -1 is returned unchanged, as hardware does.
  if (px.sign && px.exponent >= 0) {
    env.flags |= kPE;
    return x;
  }
  // In and near the documented range keep the relative precision of x.
  const bool near_one = px.exponent < -2 || (px.exponent == -2 && px.significand <= 0x95f619980c4336f7);
  const WideFloat wide_x = WideFloat::of(px);
  if (!near_one) return product_with_log2(env, py, kOne + wide_x);
  const WideFloat log2_x = log2_of_quotient(wide_x / (WideFloat::integer(2) + wide_x));
  return round_wide(env, WideFloat::of(py) * log2_x, Exactness::Inexact);
}

}  // namespace reprise::softfloat
