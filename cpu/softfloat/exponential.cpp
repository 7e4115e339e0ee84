// F2XM1: 2^x - 1 for |x| <= 1. SDM vol. 2.
// With t = x * ln 2: expm1(t / 4) by its series, then expm1(2u) = expm1(u) * (expm1(u) + 2) twice.
#include "cpu/softfloat/constants.h"
#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/series.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

/// 1/2!, 1/3!, ... in Q0.128.
constexpr auto kReciprocalFactorials = [] {
  std::array<u128, 22> c{};
  u128 factorial = 1;
  for (unsigned k = 0; k < c.size(); ++k) {
    factorial *= k + 2;
    c[k] = kQOne / factorial;
  }
  return c;
}();

/// e^t - 1 for |t| < 0.174.
WideFloat small_expm1(const WideFloat& t) {
  const u128 x = to_fraction(t);
  return t.sign ? scaled_down(t, alternating_series(x, kReciprocalFactorials))
                : scaled_up(t, positive_series(x, kReciprocalFactorials));
}

}  // namespace

Float80 f2xm1(FpEnv& env, Float80 a) {
  const Parts x = Extended80::unpack(a);
  if (x.nan()) return propagate_nan<Extended80>(env, a, x);
  env.rounded_up = false;
  if (x.infinite()) return x.sign ? Extended80::pack(true, Extended80::kBias, kIntegerBit) : a;
  if (x.zero()) return a;
  if (!accept_denormals(env, x)) return Extended80::default_nan();
  if (x.exponent >= 0) {
    // PE comes even with the exact 2^1 - 1 and 2^-1 - 1.
    env.flags |= kPE;
    const bool one = x.exponent == 0 && x.significand == kIntegerBit;
    if (one && x.sign) return Extended80::pack(true, Extended80::kBias - 1, kIntegerBit);
    // Undefined: arguments above 1 in magnitude are returned unchanged, as hardware does.
    return a;
  }
  const WideFloat two = WideFloat::integer(2);
  WideFloat result = small_expm1(WideFloat::of(x) * kLn2.times_power_of_two(-2));
  result = result * (result + two);
  result = result * (result + two);
  return round_wide(env, result, Exactness::Inexact);
}

}  // namespace reprise::softfloat
