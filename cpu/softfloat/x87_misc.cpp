// FPREM, FPREM1, FSCALE, FXTRACT, FBLD, FBSTP and the load-constant instructions. SDM vol. 2.
#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/round_pack.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

/// A finite operand as the result, without underflow; a pseudo-denormal becomes the normal number it equals.
Float80 unchanged(Float80 a) {
  if (Extended80::field(a) == 0 && (a.significand & kIntegerBit) != 0) a.sign_exponent |= 1;
  return a;
}

}  // namespace

Remainder remainder(FpEnv& env, Float80 a, Float80 b, Quotient quotient) {
  using F = Extended80;
  const Parts x = F::unpack(a);
  const Parts y = F::unpack(b);
  if (x.nan() || y.nan()) return {.value = propagate_nan<F>(env, a, b, x, y), .reduced = false};
  if (x.infinite() || y.zero()) return {.value = invalid<F>(env), .reduced = false};
  env.rounded_up = false;
  if (!accept_denormals(env, x, y)) return {.value = F::default_nan(), .reduced = false};
  if (x.zero()) return {F::zero(x.sign)};
  if (y.infinite()) return {unchanged(a)};

  const auto finish = [&](bool sign, i32 exponent, u64 magnitude, u64 q, bool partial) -> Remainder {
    if (magnitude == 0) return {F::zero(x.sign), q, partial};
    const int shift = leading_zeros(magnitude);
    return {round_pack80(env, Precision::Extended, sign, exponent - shift, magnitude << shift, 0), q,
            partial};
  };
  const i32 distance = x.exponent - y.exponent;
  if (distance < 0) {
    // |a| < |b|. FPREM1 takes b away once when |a| > |b| / 2.
    if (quotient == Quotient::Nearest && distance == -1 && x.significand > y.significand) {
      // 2b - a at the scale of a: at most 64 bits since a's significand exceeds b's.
      return finish(!x.sign, x.exponent, 2 * y.significand - x.significand, 1, false);
    }
    return finish(x.sign, x.exponent, x.significand, 0, false);
  }
  if (distance >= 64) {
    // Undefined: how far a partial reduction goes; 32 to 63 bits, so that the distance left is a multiple
    // of 32.
    const u32 step = (static_cast<u32>(distance) & 31) | 32;
    const u128 dividend = static_cast<u128>(x.significand) << step;
    return finish(x.sign, x.exponent - static_cast<i32>(step), low64(dividend % y.significand), 0, true);
  }
  const u128 dividend = static_cast<u128>(x.significand) << distance;
  const u128 wide_quotient = dividend / y.significand;
  u64 q = low64(wide_quotient);
  u64 rest = low64(dividend - wide_quotient * y.significand);
  bool sign = x.sign;
  if (quotient == Quotient::Nearest) {
    const u64 complement = y.significand - rest;
    if (rest > complement || (rest == complement && (q & 1) != 0)) {
      rest = complement;
      sign = !sign;
      ++q;
    }
  }
  return finish(sign, y.exponent, rest, q, false);
}

Float80 scale(FpEnv& env, Float80 a, Float80 b) {
  using F = Extended80;
  const Parts x = F::unpack(a);
  const Parts y = F::unpack(b);
  if (x.nan() || y.nan()) return propagate_nan<F>(env, a, b, x, y);
  if (y.infinite() && ((x.zero() && !y.sign) || (x.infinite() && y.sign))) return invalid<F>(env);
  env.rounded_up = false;
  if (!accept_denormals(env, x, y)) return F::default_nan();
  if (x.infinite()) return F::infinity(x.sign);
  if (x.zero()) return F::zero(x.sign);
  if (y.infinite()) return y.sign ? F::zero(x.sign) : F::infinity(x.sign);
  if (y.zero()) return unchanged(a);
  // Beyond 2^16 the result is out of range whatever the operand.
  constexpr i32 kLimit = 0x10000;
  i32 power = 0;
  if (!y.zero() && y.exponent >= 0)
    power = y.exponent >= 16 ? kLimit : static_cast<i32>(y.significand >> (63 - y.exponent));
  return round_pack80(env, Precision::Extended, x.sign, x.exponent + (y.sign ? -power : power), x.significand,
                      0);
}

Extracted extract(FpEnv& env, Float80 a) {
  using F = Extended80;
  const Parts x = F::unpack(a);
  if (x.nan()) {
    const Float80 nan = propagate_nan<F>(env, a, x);
    return {nan, nan};
  }
  env.rounded_up = false;
  if (x.zero()) {
    env.raise(kZE);
    return {F::infinity(true), a};
  }
  if (x.infinite()) return {F::infinity(false), a};
  if (!accept_denormals(env, x)) return {F::default_nan(), F::default_nan()};
  return {from_int64<F>(env, x.exponent), F::pack(x.sign, F::kBias, x.significand)};
}

Float80 from_bcd(PackedBcd bcd) {
  u64 magnitude = 0;
  for (int digit = 17; digit >= 0; --digit) {
    const u64 nibble = digit >= 16 ? (bcd.high_digits_and_sign >> (4 * (digit - 16))) & 0xf
                                   : (bcd.low_digits >> (4 * digit)) & 0xf;
    magnitude = magnitude * 10 + nibble;
  }
  const bool sign = (bcd.high_digits_and_sign & 0x8000) != 0;
  if (magnitude == 0) return Extended80::zero(sign);
  const int shift = leading_zeros(magnitude);
  return Extended80::pack(sign, Extended80::kBias + 63 - shift, magnitude << shift);
}

PackedBcd to_bcd(FpEnv& env, Float80 value) {
  constexpr i64 kLargest = 999'999'999'999'999'999;
  FpEnv probe = env;
  probe.flags = 0;
  const i64 rounded = to_int<Extended80>(probe, value, IntWidth::Qword, env.rounding);
  if ((probe.flags & kIE) != 0 || rounded > kLargest || rounded < -kLargest) {
    env.flags |= kIE;
    env.rounded_up = false;
    return {0xc000'0000'0000'0000, 0xffff};
  }
  env.flags |= probe.flags;
  env.rounded_up = probe.rounded_up;
  PackedBcd bcd;
  bcd.high_digits_and_sign = Extended80::sign(value) ? 0x8000 : 0;
  u64 rest = static_cast<u64>(rounded < 0 ? -rounded : rounded);
  for (unsigned digit = 0; digit < 16; ++digit, rest /= 10) bcd.low_digits |= (rest % 10) << (4 * digit);
  for (unsigned digit = 0; digit < 2; ++digit, rest /= 10)
    bcd.high_digits_and_sign = static_cast<u16>(bcd.high_digits_and_sign | ((rest % 10) << (4 * digit)));
  return bcd;
}

Float80 load_constant(Rounding rounding, Constant constant) {
  // Significand of 64 bits, the next 64 bits of the fraction, exponent.
  struct Row {
    u64 significand;
    u64 fraction;
    i32 exponent;
  };
  static constexpr Row kRows[] = {
      {0x8000000000000000, 0, 0},
      {0xd49a784bcd1b8afe, 0x492bf6ff4dafdb4c, 1},
      {0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88, 0},
      {0xc90fdaa22168c234, 0xc4c6628b80dc1cd1, 1},
      {0x9a209a84fbcff798, 0x8f8959ac0b7c9178, -2},
      {0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af, -1},
  };
  if (constant == Constant::Zero) return Extended80::zero(false);
  const Row& row = kRows[static_cast<unsigned>(constant)];
  FpEnv env;
  env.rounding = rounding;
  return round_pack80(env, Precision::Extended, false, row.exponent, row.significand, row.fraction);
}

}  // namespace reprise::softfloat
