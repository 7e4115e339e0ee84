// Conversions between formats and to and from integers; rounding to integral values.
// SDM vol. 1 4.8.4.1, 8.1.2 (data types), 11.5.2.1; vol. 2 CVTSS2SD, CVTSD2SI, ROUNDSD, FIST, FRNDINT,
// VCVTPS2PH.
#include <type_traits>

#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/round_pack.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

/// The NaN `parts` in format To, quiet or not as it was.
template <class To>
typename To::Bits narrow_nan(const Parts& parts) {
  if constexpr (To::kExtended) {
    return To::pack(parts.sign, To::kMaxField, parts.significand);
  } else {
    const u64 fraction = (parts.significand & ~kIntegerBit) >> (63 - To::kFractionBits);
    return static_cast<typename To::Bits>(To::infinity(parts.sign) |
                                          static_cast<typename To::Bits>(fraction));
  }
}

/// A magnitude split at the binary point; `fraction` has sticky bit 0.
struct Split {
  u64 integer;
  u64 fraction;
};

/// For finite non-zero parts with exponent <= 63.
inline Split split(const Parts& x) {
  const u128 shifted = shift_right_jam(make_u128(x.significand, 0), static_cast<u32>(63 - x.exponent));
  return {high64(shifted), low64(shifted)};
}

inline bool rounds_up(Rounding rounding, bool sign, const Split& s) {
  if (rounding == Rounding::Nearest)
    return s.fraction > kIntegerBit || (s.fraction == kIntegerBit && (s.integer & 1) != 0);
  return s.fraction != 0 && rounding == (sign ? Rounding::Down : Rounding::Up);
}

}  // namespace

template <class To, class From>
typename To::Bits convert(FpEnv& env, typename From::Bits value) {
  constexpr bool kFromHalf = std::is_same_v<From, Binary16>;
  env.rounded_up = false;
  const Parts x = kFromHalf ? From::unpack(value) : unpack_operand<From>(env, value);
  if (x.nan()) {
    if (x.kind == Kind::Unsupported) return invalid<To>(env);
    if (x.kind == Kind::SignallingNan) env.flags |= kIE;
    Parts quiet = x;
    quiet.significand |= kQuietBit80;
    return narrow_nan<To>(quiet);
  }
  // FLD delivers the widened denormal even when DE is unmasked.
  if (!From::kExtended && !kFromHalf && x.denormal() && !env.raise(kDE) && !To::kExtended)
    return To::default_nan();
  if (x.infinite()) return To::infinity(x.sign);
  if (x.zero()) return To::zero(x.sign);
  if constexpr (To::kExtended) {
    return To::pack(x.sign, x.exponent + To::kBias, x.significand);
  } else if constexpr (std::is_same_v<To, Binary16>) {
    const bool ftz = env.ftz;
    env.ftz = false;
    // Hardware reports a denormal source as inexact even to the handler of an unmasked underflow.
    const u16 result = round_pack<To>(env, x.sign, x.exponent, jam(x.significand, x.denormal()));
    env.ftz = ftz;
    return result;
  } else if constexpr (From::kExtended) {
    const u32 flags_before = env.flags;
    const typename To::Bits result = round_pack<To>(env, x.sign, x.exponent, x.significand);
    if ((env.unmasked() & (kOE | kUE)) != 0) {
      // FST then stores nothing, and hardware does not report the precision of what it did not store.
      env.flags &= ~kPE | flags_before;
      env.rounded_up = false;
    }
    return result;
  } else {
    return round_pack<To>(env, x.sign, x.exponent, x.significand);
  }
}

template <class From>
Float80 widen(FpEnv& env, typename From::Bits value) {
  const Parts x = From::unpack(value);
  if (x.nan()) return narrow_nan<Extended80>(x);
  if (x.infinite()) return Extended80::infinity(x.sign);
  if (x.zero()) return Extended80::zero(x.sign);
  if (x.denormal()) env.source_denormal = true;
  return Extended80::pack(x.sign, x.exponent + Extended80::kBias, x.significand);
}

template <class F>
typename F::Bits from_int64(FpEnv& env, i64 value) {
  env.rounded_up = false;
  if (value == 0) return F::zero(false);
  const bool sign = value < 0;
  const u64 magnitude = sign ? 0 - static_cast<u64>(value) : static_cast<u64>(value);
  const int shift = leading_zeros(magnitude);
  if constexpr (F::kExtended) {
    return F::pack(sign, F::kBias + 63 - shift, magnitude << shift);
  } else {
    return round_pack<F>(env, sign, 63 - shift, magnitude << shift);
  }
}

template <class F>
i64 to_int(FpEnv& env, typename F::Bits value, IntWidth width, Rounding rounding) {
  env.rounded_up = false;
  const Parts x = unpack_operand<F>(env, value);
  const u64 limit = u64{1} << (static_cast<unsigned>(width) - 1);
  const auto indefinite = [&] {
    env.flags |= kIE;
    env.rounded_up = false;
    return static_cast<i64>(0 - limit);
  };
  if (x.nan() || x.infinite()) return indefinite();
  if (x.zero()) return 0;
  if (x.exponent > 63) return indefinite();
  const Split s = split(x);
  const bool up = rounds_up(rounding, x.sign, s);
  const u64 magnitude = s.integer + up;
  if ((up && magnitude == 0) || magnitude > (x.sign ? limit : limit - 1)) return indefinite();
  env.flags |= s.fraction != 0 ? kPE : 0;
  env.rounded_up = up;
  return static_cast<i64>(x.sign ? 0 - magnitude : magnitude);
}

template <class F>
typename F::Bits round_to_integral(FpEnv& env, typename F::Bits value, Rounding rounding, Inexact inexact) {
  env.rounded_up = false;
  const Parts x = unpack_operand<F>(env, value);
  if (x.nan()) return propagate_nan<F>(env, value, x);
  if (x.zero()) return F::zero(x.sign);
  if (x.infinite()) return value;
  if (F::kExtended && !accept_denormals(env, x)) return F::default_nan();
  if (x.exponent >= static_cast<i32>(F::kFractionBits)) return value;
  const Split s = split(x);
  const bool up = rounds_up(rounding, x.sign, s);
  if (s.fraction != 0 && inexact == Inexact::Raises) env.flags |= kPE;
  env.rounded_up = up;
  const u64 magnitude = s.integer + up;
  if (magnitude == 0) return F::zero(x.sign);
  // At most kFractionBits + 1 bits: exact in F.
  const int shift = leading_zeros(magnitude);
  const i32 field = F::kBias + 63 - shift;
  const u64 significand = magnitude << shift;
  if constexpr (F::kExtended) {
    return F::pack(x.sign, field, significand);
  } else {
    const u64 packed =
        (static_cast<u64>(field - 1) << F::kFractionBits) + (significand >> (63 - F::kFractionBits));
    return static_cast<typename F::Bits>(F::with_sign(x.sign) | static_cast<typename F::Bits>(packed));
  }
}

template u64 convert<Binary64, Binary32>(FpEnv&, u32);
template u32 convert<Binary32, Binary64>(FpEnv&, u64);
template u32 convert<Binary32, Binary16>(FpEnv&, u16);
template u16 convert<Binary16, Binary32>(FpEnv&, u32);
template Float80 convert<Extended80, Binary32>(FpEnv&, u32);
template Float80 convert<Extended80, Binary64>(FpEnv&, u64);
template u32 convert<Binary32, Extended80>(FpEnv&, Float80);
template u64 convert<Binary64, Extended80>(FpEnv&, Float80);
template Float80 widen<Binary32>(FpEnv&, u32);
template Float80 widen<Binary64>(FpEnv&, u64);
template u32 from_int64<Binary32>(FpEnv&, i64);
template u64 from_int64<Binary64>(FpEnv&, i64);
template Float80 from_int64<Extended80>(FpEnv&, i64);
template i64 to_int<Binary32>(FpEnv&, u32, IntWidth, Rounding);
template i64 to_int<Binary64>(FpEnv&, u64, IntWidth, Rounding);
template i64 to_int<Extended80>(FpEnv&, Float80, IntWidth, Rounding);
template u32 round_to_integral<Binary32>(FpEnv&, u32, Rounding, Inexact);
template u64 round_to_integral<Binary64>(FpEnv&, u64, Rounding, Inexact);
template Float80 round_to_integral<Extended80>(FpEnv&, Float80, Rounding, Inexact);

}  // namespace reprise::softfloat
