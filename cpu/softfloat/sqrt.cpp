// SQRT, by integer square roots: each step doubles the number of root bits with one division
// (P. Zimmermann, "Karatsuba Square Root", INRIA RR-3805, 1999).
#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/round_pack.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

/// floor(sqrt(n)) and n - root^2.
struct Root16 {
  u32 root;
  u32 remainder;
};
struct Root64 {
  u64 root;
  u64 remainder;
};
struct Root128 {
  u64 root;
  u128 remainder;
};

/// `n` in [2^14, 2^16).
inline Root16 root16(u32 n) {
  u32 root = 0;
  for (u32 step = 0x80; step != 0; step >>= 1)
    if ((root + step) * (root + step) <= n) root += step;
  return {root, n - root * root};
}

/// `n` in [2^30, 2^32).
inline Root16 root32(u32 n) {
  const auto [high_root, high_remainder] = root16(n >> 16);
  const u32 numerator = (high_remainder << 7) + ((n >> 9) & 0x7f);
  const u32 quotient = numerator / high_root;
  const u32 rest = 2 * (numerator - quotient * high_root) + ((n >> 8) & 1);
  u32 root = (high_root << 8) + quotient;
  i64 remainder = (static_cast<i64>(rest) << 8) + (n & 0xff) - static_cast<i64>(quotient) * quotient;
  if (remainder < 0) {
    remainder += 2 * static_cast<i64>(root) - 1;
    --root;
  }
  return {root, static_cast<u32>(remainder)};
}

/// `n` in [2^62, 2^64).
inline Root64 root64(u64 n) {
  const auto [high_root, high_remainder] = root32(static_cast<u32>(n >> 32));
  const u64 numerator = (static_cast<u64>(high_remainder) << 15) + ((n >> 17) & 0x7fff);
  const u64 quotient = numerator / high_root;
  const u64 rest = 2 * (numerator - quotient * high_root) + ((n >> 16) & 1);
  u64 root = (static_cast<u64>(high_root) << 16) + quotient;
  i64 remainder = static_cast<i64>((rest << 16) + (n & 0xffff)) - static_cast<i64>(quotient * quotient);
  if (remainder < 0) {
    remainder += static_cast<i64>(2 * root - 1);
    --root;
  }
  return {root, static_cast<u64>(remainder)};
}

/// `n` in [2^126, 2^128).
inline Root128 root128(u128 n) {
  const auto [high_root, high_remainder] = root64(high64(n));
  // high_remainder <= 2 * high_root < 2^33, so the numerator fits 64 bits.
  const u64 numerator = (high_remainder << 31) + (low64(n) >> 33);
  const u64 quotient = numerator / high_root;
  const u64 rest = 2 * (numerator - quotient * high_root) + ((low64(n) >> 32) & 1);
  // quotient may be 2^32: the sum then is 2^64 and the correction below applies.
  u128 root = (static_cast<u128>(high_root) << 32) + quotient;
  i128 remainder = static_cast<i128>((static_cast<u128>(rest) << 32) + (low64(n) & 0xffffffff)) -
                   static_cast<i128>(static_cast<u128>(quotient) * quotient);
  if (remainder < 0) {
    remainder += static_cast<i128>(2 * root - 1);
    --root;
  }
  return {low64(root), static_cast<u128>(remainder)};
}

template <class F>
inline typename F::Bits sqrt_finite(FpEnv& env, const Parts& x) {
  const bool odd = (x.exponent & 1) != 0;
  const i32 exponent = (x.exponent - (odd ? 1 : 0)) / 2;
  if constexpr (std::is_same_v<F, Binary32>) {
    const auto [root, remainder] = root64(odd ? x.significand : x.significand >> 1);
    return round_pack<F>(env, false, exponent, jam(root << 32, remainder));
  } else {
    const auto [root, remainder] = root128(static_cast<u128>(x.significand) << (odd ? 64 : 63));
    if constexpr (F::kExtended) {
      // remainder > root means the radicand exceeds (root + 1/2)^2, which no integer equals.
      const u64 fraction = remainder == 0 ? 0 : remainder > root ? kIntegerBit | 1 : 1;
      return round_pack80(env, env.precision, false, exponent, root, fraction);
    } else {
      return round_pack<F>(env, false, exponent, jam(root, remainder != 0));
    }
  }
}

}  // namespace

template <class F>
typename F::Bits sqrt(FpEnv& env, typename F::Bits a) {
  const Parts x = unpack_operand<F>(env, a);
  if (x.nan()) return propagate_nan<F>(env, a, x);
  env.rounded_up = false;
  if (x.zero()) return F::zero(x.sign);
  if (x.sign) return invalid<F>(env);
  if (!accept_denormals(env, x)) return F::default_nan();
  if (x.infinite()) return F::infinity(false);
  return sqrt_finite<F>(env, x);
}

template u32 sqrt<Binary32>(FpEnv&, u32);
template u64 sqrt<Binary64>(FpEnv&, u64);
template Float80 sqrt<Extended80>(FpEnv&, Float80);

}  // namespace reprise::softfloat
