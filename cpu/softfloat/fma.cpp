// Fused multiply-add. SDM vol. 1 14.5.2 (NaNs, table 14-17), vol. 2 VFMADD132SD and kin.
#include "cpu/softfloat/add.h"
#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

/// Holds the exact product with two spare low bits.
template <class F>
using Product = std::conditional_t<std::is_same_v<F, Binary32>, u64, u128>;

template <class F>
inline typename F::Bits fma_finite(FpEnv& env, const Parts& x, const Parts& y, const Parts& z,
                                   bool product_sign, bool addend_sign) {
  using Wide = Product<F>;
  u128 product = static_cast<u128>(x.significand) * y.significand;
  const int shift = high64(product) >> 63 ? 0 : 1;
  product <<= shift;
  const Addend<Wide> first{product_sign, x.exponent + y.exponent + 1 - shift,
                           static_cast<Wide>(product >> (128 - 8 * sizeof(Wide)))};
  if (z.zero()) return round_pack_wide<F>(env, first.sign, first.exponent, first.significand);
  return add_rounded<F>(env, first,
                        Addend<Wide>{addend_sign, z.exponent, widen_significand<Wide>(z.significand)});
}

template <class F>
[[gnu::noinline]] typename F::Bits fma_special(FpEnv& env, typename F::Bits a, typename F::Bits b,
                                               typename F::Bits c, FmaSigns signs) {
  const Parts x = unpack_operand<F>(env, a);
  const Parts y = unpack_operand<F>(env, b);
  const Parts z = unpack_operand<F>(env, c);
  if (x.nan() || y.nan()) {
    if (z.kind == Kind::SignallingNan) env.flags |= kIE;
    return propagate_nan<F>(env, a, b, x, y);
  }
  if (z.nan()) return propagate_nan<F>(env, c, z);
  const bool product_sign = (x.sign != y.sign) != ((static_cast<u8>(signs) & 2) != 0);
  const bool addend_sign = z.sign != ((static_cast<u8>(signs) & 1) != 0);
  const bool infinite_product = x.infinite() || y.infinite();
  if (infinite_product && (x.zero() || y.zero())) return invalid<F>(env);
  if (infinite_product && z.infinite() && product_sign != addend_sign) return invalid<F>(env);
  env.rounded_up = false;
  if ((x.denormal() || y.denormal() || z.denormal()) && !env.raise(kDE)) return F::default_nan();
  if (infinite_product) return F::infinity(product_sign);
  if (z.infinite()) return F::infinity(addend_sign);
  if (x.zero() || y.zero()) {
    if (z.zero()) return F::zero(product_sign == addend_sign ? product_sign : env.rounding == Rounding::Down);
    return round_pack<F>(env, addend_sign, z.exponent, z.significand);
  }
  return fma_finite<F>(env, x, y, z, product_sign, addend_sign);
}

}  // namespace

template <class F>
typename F::Bits fma(FpEnv& env, typename F::Bits a, typename F::Bits b, typename F::Bits c, FmaSigns signs) {
  if (!F::is_normal(a) || !F::is_normal(b) || !F::is_normal(c)) [[unlikely]]
    return fma_special<F>(env, a, b, c, signs);
  const Parts x = F::normal_parts(a);
  const Parts y = F::normal_parts(b);
  const Parts z = F::normal_parts(c);
  const bool product_sign = (x.sign != y.sign) != ((static_cast<u8>(signs) & 2) != 0);
  const bool addend_sign = z.sign != ((static_cast<u8>(signs) & 1) != 0);
  return fma_finite<F>(env, x, y, z, product_sign, addend_sign);
}

template u32 fma<Binary32>(FpEnv&, u32, u32, u32, FmaSigns);
template u64 fma<Binary64>(FpEnv&, u64, u64, u64, FmaSigns);

}  // namespace reprise::softfloat
