// What operations do with operands that are not ordinary numbers: NaN choice, invalid operands, denormals.
// SDM vol. 1 4.8.3.5 (table 4-7), 4.9.2 (priorities), 8.5.2, 10.2.3.4 (denormals-are-zeros), 11.5.2.
#pragma once

#include "cpu/softfloat/env.h"
#include "cpu/softfloat/format.h"

namespace reprise::softfloat {

/// Unpacks an operand; a denormal becomes a zero of its sign under DAZ.
template <class F>
inline Parts unpack_operand(const FpEnv& env, typename F::Bits bits) {
  Parts parts = F::unpack(bits);
  if (env.daz && parts.denormal()) parts = {0, 0, parts.sign, Kind::Zero};
  return parts;
}

/// Raises IE; the default NaN.
template <class F>
inline typename F::Bits invalid(FpEnv& env) {
  env.flags |= kIE;
  env.rounded_up = false;
  return F::default_nan();
}

/// Raises DE when an operand is a denormal; false when that stops the operation.
inline bool accept_denormals(FpEnv& env, const Parts& a) {
  return !(a.denormal() || env.source_denormal) || env.raise(kDE);
}
inline bool accept_denormals(FpEnv& env, const Parts& a, const Parts& b) {
  return !(a.denormal() || b.denormal() || env.source_denormal) || env.raise(kDE);
}

/// The result of an operation on one NaN.
template <class F>
inline typename F::Bits propagate_nan(FpEnv& env, typename F::Bits a, const Parts& pa) {
  env.rounded_up = false;
  if (pa.kind == Kind::Unsupported) return invalid<F>(env);
  if (pa.kind == Kind::SignallingNan) env.flags |= kIE;
  return F::quiet(a);
}

/// The result of an operation of which at least one operand is a NaN (or unsupported).
/// SSE: the first operand that is a NaN, made quiet. x87: a quiet NaN wins over a signalling one, then the
/// larger significand, then the positive one.
template <class F>
typename F::Bits propagate_nan(FpEnv& env, typename F::Bits a, typename F::Bits b, const Parts& pa,
                               const Parts& pb) {
  env.rounded_up = false;
  if (pa.kind == Kind::Unsupported || pb.kind == Kind::Unsupported) return invalid<F>(env);
  const bool a_signals = pa.kind == Kind::SignallingNan;
  const bool b_signals = pb.kind == Kind::SignallingNan;
  if (a_signals || b_signals) env.flags |= kIE;
  if (!pa.nan()) return F::quiet(b);
  if (!pb.nan()) return F::quiet(a);
  if constexpr (F::kExtended) {
    if (a_signals != b_signals) return F::quiet(a_signals ? b : a);
    if (pa.significand != pb.significand) return F::quiet(pa.significand > pb.significand ? a : b);
    return F::quiet(pa.sign ? b : a);
  } else {
    return F::quiet(a);
  }
}

}  // namespace reprise::softfloat
