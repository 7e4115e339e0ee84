// Comparison, MIN and MAX.
#include <utility>

#include "cpu/softfloat/operands.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::softfloat {
namespace {

/// Order of two operands that are not NaNs.
inline Relation order(const Parts& x, const Parts& y) {
  if (x.zero() && y.zero()) return Relation::Equal;
  const bool x_negative = x.sign && !x.zero();
  const bool y_negative = y.sign && !y.zero();
  if (x_negative != y_negative) return x_negative ? Relation::Less : Relation::Greater;
  // Both on the same side of zero: compare magnitudes.
  const auto rank = [](const Parts& p) {
    const i32 exponent = p.zero() ? -0x10000 : p.infinite() ? 0x10000 : p.exponent;
    return std::pair(exponent, p.infinite() ? 0 : p.significand);
  };
  const auto x_rank = rank(x);
  const auto y_rank = rank(y);
  if (x_rank == y_rank) return Relation::Equal;
  return (x_rank < y_rank) != x_negative ? Relation::Less : Relation::Greater;
}

template <class F>
inline typename F::Bits min_or_max(FpEnv& env, typename F::Bits a, typename F::Bits b, Relation wanted) {
  const Relation relation = compare<F>(env, a, b, NanSignals::Any);
  // A zero under DAZ delivers a zero, not the denormal.
  const typename F::Bits chosen = relation == wanted ? a : b;
  return env.daz && F::unpack(chosen).denormal() ? F::zero(F::sign(chosen)) : chosen;
}

}  // namespace

template <class F>
Relation compare(FpEnv& env, typename F::Bits a, typename F::Bits b, NanSignals signals) {
  env.rounded_up = false;
  const Parts x = unpack_operand<F>(env, a);
  const Parts y = unpack_operand<F>(env, b);
  if (x.nan() || y.nan()) {
    const bool loud = x.kind == Kind::SignallingNan || y.kind == Kind::SignallingNan ||
                      x.kind == Kind::Unsupported || y.kind == Kind::Unsupported;
    if (loud || signals == NanSignals::Any) env.flags |= kIE;
    return Relation::Unordered;
  }
  accept_denormals(env, x, y);
  return order(x, y);
}

template <class F>
typename F::Bits min(FpEnv& env, typename F::Bits a, typename F::Bits b) {
  return min_or_max<F>(env, a, b, Relation::Less);
}
template <class F>
typename F::Bits max(FpEnv& env, typename F::Bits a, typename F::Bits b) {
  return min_or_max<F>(env, a, b, Relation::Greater);
}

template Relation compare<Binary32>(FpEnv&, u32, u32, NanSignals);
template Relation compare<Binary64>(FpEnv&, u64, u64, NanSignals);
template Relation compare<Extended80>(FpEnv&, Float80, Float80, NanSignals);
template u32 min<Binary32>(FpEnv&, u32, u32);
template u64 min<Binary64>(FpEnv&, u64, u64);
template u32 max<Binary32>(FpEnv&, u32, u32);
template u64 max<Binary64>(FpEnv&, u64, u64);

}  // namespace reprise::softfloat
