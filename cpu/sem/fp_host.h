// Host arithmetic in place of cpu/softfloat, where both give the same bits and the same flags on every host.
//
// Round to nearest, no DAZ, no FTZ, all exceptions masked, PE already sticky, and operands that are zeros or lie in a
// window of exponents around 1 so narrow that no operation on two of them overflows or becomes tiny: then the one
// exception an operation can raise is PE, which changes nothing any more, and IEEE 754 fixes the result. A host that
// runs with the guest's MXCSR loaded runs with these settings too.
// One operation is one guest instruction's: nothing is there for the compiler to contract.
#pragma once

#include <bit>
#include <cfloat>
#include <limits>
#include <type_traits>

#include "cpu/softfloat/format.h"

namespace reprise::cpu {

static_assert(FLT_EVAL_METHOD == 0, "float and double are evaluated in their own format");
static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

template <class F>
using HostFloat = std::conditional_t<sizeof(typename F::Bits) == 4, float, double>;

template <class F>
constexpr HostFloat<F> to_host(typename F::Bits bits) {
  return std::bit_cast<HostFloat<F>>(bits);
}
template <class F>
constexpr typename F::Bits from_host(HostFloat<F> value) {
  return std::bit_cast<typename F::Bits>(value);
}

/// Half the window: products and quotients of two values stay normal, with room to spare.
template <class F>
inline constexpr i32 kOrdinaryExponents = F::kBias / 2 - 3;

/// A magnitude from 2^-limit to below 2^(limit + 1).
template <class F>
constexpr bool within_exponents(typename F::Bits bits, i32 limit) {
  return static_cast<u32>(F::field(bits) - (F::kBias - limit)) <= 2 * static_cast<u32>(limit);
}
/// In the window, and not zero. Any operation.
template <class F>
constexpr bool ordinary_nonzero(typename F::Bits bits) {
  return within_exponents<F>(bits, kOrdinaryExponents<F>);
}
/// In the window, or a zero. As a divisor only ordinary_nonzero() will do.
template <class F>
constexpr bool ordinary(typename F::Bits bits) {
  return ordinary_nonzero<F>(bits) || static_cast<typename F::Bits>(bits << 1) == 0;
}
/// Comparable without any exception: neither denormal nor NaN.
template <class F>
constexpr bool comparable(typename F::Bits bits) {
  return F::is_normal(bits) || static_cast<typename F::Bits>(bits << 1) == 0;
}

}  // namespace reprise::cpu
