// DIV.
#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/round_pack.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

template <class F>
inline typename F::Bits div_finite(FpEnv& env, const Parts& x, const Parts& y) {
  const bool sign = x.sign != y.sign;
  const bool below_one = x.significand < y.significand;
  const i32 exponent = x.exponent - y.exponent - (below_one ? 1 : 0);
  if constexpr (std::is_same_v<F, Binary32>) {
    // 24-bit significands: a 32-bit quotient from a 64-bit dividend.
    const u64 divisor = y.significand >> 32;
    const u64 dividend = below_one ? x.significand : x.significand >> 1;
    const u64 quotient = dividend / divisor;
    return round_pack<F>(env, sign, exponent, jam(quotient << 32, dividend - quotient * divisor));
  } else {
    const auto [quotient, remainder] = below_one
                                           ? divide(x.significand, 0, y.significand)
                                           : divide(x.significand >> 1, x.significand << 63, y.significand);
    if constexpr (F::kExtended) {
      // The next quotient bit, and whether anything follows it.
      const u64 rest = y.significand - remainder;
      const u64 fraction = remainder == 0 ? 0 : remainder >= rest ? kIntegerBit | (remainder > rest) : 1;
      return round_pack80(env, env.precision, sign, exponent, quotient, fraction);
    } else {
      return round_pack<F>(env, sign, exponent, jam(quotient, remainder));
    }
  }
}

template <class F>
[[gnu::noinline]] typename F::Bits div_special(FpEnv& env, typename F::Bits a, typename F::Bits b) {
  const Parts x = unpack_operand<F>(env, a);
  const Parts y = unpack_operand<F>(env, b);
  if (x.nan() || y.nan()) return propagate_nan<F>(env, a, b, x, y);
  if ((x.infinite() && y.infinite()) || (x.zero() && y.zero())) return invalid<F>(env);
  env.rounded_up = false;
  const bool sign = x.sign != y.sign;
  if (y.zero() && !x.infinite()) {
    env.raise(kZE);
    return F::infinity(sign);
  }
  if (!accept_denormals(env, x, y)) return F::default_nan();
  if (x.infinite()) return F::infinity(sign);
  if (x.zero() || y.infinite()) return F::zero(sign);
  return div_finite<F>(env, x, y);
}

}  // namespace

template <class F>
typename F::Bits div(FpEnv& env, typename F::Bits a, typename F::Bits b) {
  if (!F::is_normal(a) || !F::is_normal(b) || (F::kExtended && env.source_denormal)) [[unlikely]]
    return div_special<F>(env, a, b);
  return div_finite<F>(env, F::normal_parts(a), F::normal_parts(b));
}

template u32 div<Binary32>(FpEnv&, u32, u32);
template u64 div<Binary64>(FpEnv&, u64, u64);
template Float80 div<Extended80>(FpEnv&, Float80, Float80);

}  // namespace reprise::softfloat
