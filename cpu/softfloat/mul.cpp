// MUL.
#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/round_pack.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

template <class F>
inline typename F::Bits mul_finite(FpEnv& env, const Parts& x, const Parts& y) {
  u128 product = static_cast<u128>(x.significand) * y.significand;
  const int shift = high64(product) >> 63 ? 0 : 1;
  product <<= shift;
  return round_pack_wide<F>(env, x.sign != y.sign, x.exponent + y.exponent + 1 - shift, product);
}

template <class F>
[[gnu::noinline]] typename F::Bits mul_special(FpEnv& env, typename F::Bits a, typename F::Bits b) {
  const Parts x = unpack_operand<F>(env, a);
  const Parts y = unpack_operand<F>(env, b);
  if (x.nan() || y.nan()) return propagate_nan<F>(env, a, b, x, y);
  if ((x.infinite() && y.zero()) || (x.zero() && y.infinite())) return invalid<F>(env);
  env.rounded_up = false;
  if (!accept_denormals(env, x, y)) return F::default_nan();
  const bool sign = x.sign != y.sign;
  if (x.infinite() || y.infinite()) return F::infinity(sign);
  if (x.zero() || y.zero()) return F::zero(sign);
  return mul_finite<F>(env, x, y);
}

}  // namespace

template <class F>
typename F::Bits mul(FpEnv& env, typename F::Bits a, typename F::Bits b) {
  if (!F::is_normal(a) || !F::is_normal(b) || (F::kExtended && env.source_denormal)) [[unlikely]]
    return mul_special<F>(env, a, b);
  return mul_finite<F>(env, F::normal_parts(a), F::normal_parts(b));
}

template u32 mul<Binary32>(FpEnv&, u32, u32);
template u64 mul<Binary64>(FpEnv&, u64, u64);
template Float80 mul<Extended80>(FpEnv&, Float80, Float80);

}  // namespace reprise::softfloat
