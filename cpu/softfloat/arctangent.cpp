// FPATAN: the angle of the point (ST0, ST1). SDM vol. 2 FPATAN, table 3-30.
// With r the smaller magnitude over the larger, atan(r) = atan(c) + atan((r - c) / (1 + r * c)) for c the
// multiple of 1/32 nearest below, whose arctangents are summed at compile time; the rest is a short series.
#include "cpu/softfloat/constants.h"
#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/series.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

/// 1/3, 1/5, ... in Q0.128.
constexpr auto kReciprocalOdds = [] {
  std::array<u128, 14> c{};
  for (unsigned k = 0; k < c.size(); ++k) c[k] = kQOne / (2 * k + 3);
  return c;
}();

/// atan(t) for 0 <= t <= 1/31.
constexpr WideFloat small_arctangent(const WideFloat& t) {
  // Below this exponent two terms are exact.
  if (t.zero() || t.exponent < -32) return t.zero() ? t : t - t * t * t / WideFloat::integer(3);
  const u128 x = to_fraction(t);
  return scaled_down(t, alternating_series(mul_high(x, x), kReciprocalOdds));
}

constexpr unsigned kSteps = 32;

/// atan(i / 32), from atan((i + 1) / 32) = atan(i / 32) + atan(32 / (1024 + i * (i + 1))).
constexpr auto kArctangents = [] {
  std::array<WideFloat, kSteps + 1> table{};
  for (unsigned i = 0; i < kSteps; ++i)
    table[i + 1] = table[i] + small_arctangent(WideFloat::integer(kSteps) /
                                               WideFloat::integer(kSteps * kSteps + i * (i + 1)));
  return table;
}();

/// atan(a / b) for magnitudes 0 < a <= b.
WideFloat arctangent_of_ratio(const Parts& a, const Parts& b) {
  const i32 distance = b.exponent - a.exponent;
  const WideFloat numerator{false, a.exponent, make_u128(a.significand, 0)};
  const WideFloat denominator{false, b.exponent, make_u128(b.significand, 0)};
  if (distance > 6) return small_arctangent(numerator / denominator);
  // Exact: both at the scale of a's last bit, below 2^70.
  const u128 n = a.significand;
  const u128 d = static_cast<u128>(b.significand) << distance;
  const unsigned i = static_cast<unsigned>(n * kSteps / d);
  if (i == 0) return small_arctangent(numerator / denominator);
  const WideFloat top = WideFloat::of(false, 127, n * kSteps - d * i);
  const WideFloat bottom = WideFloat::of(false, 127, d * kSteps + n * i);
  return kArctangents[i] + small_arctangent(top / bottom);
}

}  // namespace

Float80 atan2(FpEnv& env, Float80 y, Float80 x) {
  const Parts py = Extended80::unpack(y);
  const Parts px = Extended80::unpack(x);
  if (px.nan() || py.nan()) return propagate_nan<Extended80>(env, x, y, px, py);
  env.rounded_up = false;
  if (!accept_denormals(env, px, py)) return Extended80::default_nan();

  const auto angle = [&](const WideFloat& value) {
    return round_wide(env, {py.sign, value.exponent, value.significand}, Exactness::Inexact);
  };
  const WideFloat right = kPi.times_power_of_two(-1);
  if (py.infinite()) {
    if (!px.infinite()) return angle(right);
    return angle(px.sign ? kPi - kPi.times_power_of_two(-2) : kPi.times_power_of_two(-2));
  }
  if (py.zero() || px.infinite()) return px.sign ? angle(kPi) : Extended80::zero(py.sign);
  if (px.zero()) return angle(right);

  const bool steep =
      py.exponent > px.exponent || (py.exponent == px.exponent && py.significand > px.significand);
  if (!steep) {
    const WideFloat acute = arctangent_of_ratio(py, px);
    return angle(px.sign ? kPi - acute : acute);
  }
  const WideFloat complement = arctangent_of_ratio(px, py);
  return angle(px.sign ? right + complement : right - complement);
}

}  // namespace reprise::softfloat
