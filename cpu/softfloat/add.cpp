// ADD and SUB.
#include "cpu/softfloat/add.h"

#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

template <class F>
inline typename F::Bits add_finite(FpEnv& env, const Parts& x, const Parts& y) {
  using Wide = typename F::Wide;
  return add_rounded<F>(env, Addend<Wide>{x.sign, x.exponent, widen_significand<Wide>(x.significand)},
                        Addend<Wide>{y.sign, y.exponent, widen_significand<Wide>(y.significand)});
}

template <class F>
[[gnu::noinline]] typename F::Bits add_special(FpEnv& env, typename F::Bits a, typename F::Bits b,
                                               bool subtract) {
  const Parts x = unpack_operand<F>(env, a);
  Parts y = unpack_operand<F>(env, b);
  if (x.nan() || y.nan()) return propagate_nan<F>(env, a, b, x, y);
  y.sign ^= subtract;
  if (x.infinite() && y.infinite() && x.sign != y.sign) return invalid<F>(env);
  env.rounded_up = false;
  if (!accept_denormals(env, x, y)) return F::default_nan();
  if (x.infinite()) return F::infinity(x.sign);
  if (y.infinite()) return F::infinity(y.sign);
  if (x.zero() && y.zero()) return F::zero(x.sign == y.sign ? x.sign : env.rounding == Rounding::Down);
  if (x.zero() || y.zero()) {
    const Parts& sum = x.zero() ? y : x;
    return round_pack_wide<F>(env, sum.sign, sum.exponent,
                              widen_significand<typename F::Wide>(sum.significand));
  }
  return add_finite<F>(env, x, y);
}

template <class F>
inline typename F::Bits add_or_sub(FpEnv& env, typename F::Bits a, typename F::Bits b, bool subtract) {
  if (!F::is_normal(a) || !F::is_normal(b) || (F::kExtended && env.source_denormal)) [[unlikely]]
    return add_special<F>(env, a, b, subtract);
  Parts y = F::normal_parts(b);
  y.sign ^= subtract;
  return add_finite<F>(env, F::normal_parts(a), y);
}

}  // namespace

template <class F>
typename F::Bits add(FpEnv& env, typename F::Bits a, typename F::Bits b) {
  return add_or_sub<F>(env, a, b, false);
}
template <class F>
typename F::Bits sub(FpEnv& env, typename F::Bits a, typename F::Bits b) {
  return add_or_sub<F>(env, a, b, true);
}

template u32 add<Binary32>(FpEnv&, u32, u32);
template u64 add<Binary64>(FpEnv&, u64, u64);
template Float80 add<Extended80>(FpEnv&, Float80, Float80);
template u32 sub<Binary32>(FpEnv&, u32, u32);
template u64 sub<Binary64>(FpEnv&, u64, u64);
template Float80 sub<Extended80>(FpEnv&, Float80, Float80);

}  // namespace reprise::softfloat
