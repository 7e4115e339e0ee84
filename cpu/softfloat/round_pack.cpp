// Extended-format results that may overflow or underflow.
#include "cpu/softfloat/round_pack.h"

namespace reprise::softfloat {

Float80 round_pack80_extreme(FpEnv& env, Precision precision, bool sign, i32 exponent, u64 significand,
                             u64 fraction) {
  const i32 field = exponent + Extended80::kBias;
  const detail::Rounded80 unbounded =
      detail::round_significand80(env.rounding, precision, sign, significand, fraction);
  const i32 rounded_field = field + (unbounded.carry ? 1 : 0);
  // FSCALE may leave the range even of wrapped exponents: infinity or zero in every rounding mode.
  const auto massive = [&](Float80 result, bool up) {
    env.flags |= kPE;
    env.rounded_up = up;
    return result;
  };

  if (rounded_field >= Extended80::kMaxField) {
    if (!env.masked(kOE)) {
      env.flags |= kOE | (unbounded.inexact ? kPE : 0);
      env.rounded_up = unbounded.up;
      const i32 wrapped = rounded_field - Extended80::kWrapBias;
      if (wrapped >= Extended80::kMaxField) return massive(Extended80::infinity(sign), true);
      return Extended80::pack(sign, wrapped, unbounded.significand);
    }
    env.flags |= kOE | kPE;
    env.rounded_up = overflows_to_infinity(env.rounding, sign);
    if (env.rounded_up) return Extended80::infinity(sign);
    const u64 largest = precision == Precision::Single   ? ~u64{0} << 40
                        : precision == Precision::Double ? ~u64{0} << 11
                                                         : ~u64{0};
    return Extended80::pack(sign, Extended80::kMaxField - 1, largest);
  }
  if (field > 0) {
    env.flags |= unbounded.inexact ? kPE : 0;
    env.rounded_up = unbounded.up;
    return Extended80::pack(sign, rounded_field, unbounded.significand);
  }
  const bool tiny = rounded_field < 1;
  if (tiny && !env.masked(kUE)) {
    env.flags |= kUE | (unbounded.inexact ? kPE : 0);
    env.rounded_up = unbounded.up;
    const i32 wrapped = rounded_field + Extended80::kWrapBias;
    if (wrapped < 1) return massive(Extended80::zero(sign), false);
    return Extended80::pack(sign, wrapped, unbounded.significand);
  }
  const u128 shifted = shift_right_jam(make_u128(significand, fraction), static_cast<u32>(1 - field));
  const detail::Rounded80 r =
      detail::round_significand80(env.rounding, precision, sign, high64(shifted), low64(shifted));
  env.flags |= r.inexact ? kPE | (tiny ? kUE : 0) : 0;
  env.rounded_up = r.up;
  // Rounding up to the integer bit makes the smallest normal number.
  return Extended80::pack(sign, (r.significand & kIntegerBit) != 0 ? 1 : 0, r.significand);
}

}  // namespace reprise::softfloat
