// RCPPS and RSQRTPS. The manual bounds only their error; we give, on every host, what Intel processors compute: the
// function at the middle of the operand's interval, rounded to 12 fraction bits of the result. docs/undefined.md.
#pragma once

#include "cpu/sem/vector_shapes.h"
#include "cpu/softfloat/format.h"

namespace reprise::cpu {

namespace approx {

using softfloat::Binary32;

constexpr u64 isqrt(u64 value) {
  u64 root = 0;
  for (u64 step = u64{1} << 31; step != 0; step >>= 1) {
    if ((root + step) * (root + step) <= value) root += step;
  }
  return root;
}

/// 2^13 / m at the middle of the 2^-11 wide interval `i` of m in [1, 2), rounded: 2^13 / ((4097 + 2i) / 4096).
constexpr u32 reciprocal(u32 i) { return ((1u << 26) / (4097 + 2 * i) + 1) / 2; }

/// 2^13 / sqrt(m) at the middle of the 2^-10 wide interval `i` of m / scale in [1, 2), rounded; scale is 1 or 2. With
/// m = scale * (2049 + 2i) / 2048 it is the largest k with (2k - 1)^2 * m <= 2^28.
constexpr u32 reciprocal_root(u32 scale, u32 i) {
  return static_cast<u32>((isqrt((u64{1} << 39) / (scale * (2049 + 2 * i))) + 1) / 2);
}
inline constexpr auto kReciprocalRoot = [] {
  std::array<std::array<u16, 1024>, 2> table{};
  for (u32 i = 0; i < 1024; ++i) {
    table[0][i] = static_cast<u16>(reciprocal_root(1, i));
    table[1][i] = static_cast<u16>(reciprocal_root(2, i));
  }
  return table;
}();

/// k * 2^(exponent - 13) for k in (2^12, 2^13]; results below the normal range become zeros.
constexpr u32 assemble(bool sign, i32 exponent, u32 k) {
  const i32 field = exponent - 1 + Binary32::kBias;
  return field <= 0 ? Binary32::zero(sign)
                    : Binary32::with_sign(sign) | static_cast<u32>(field) << 23 |
                          (k << 11 & Binary32::kFractionMask);
}

}  // namespace approx

/// Denormals count as zeros. No flags.
struct fp_rcp {
  u32 operator()(u32 a) const {
    using F = softfloat::Binary32;
    if (F::is_normal(a)) {
      return approx::assemble(F::sign(a), F::kBias - F::field(a), approx::reciprocal(a >> 12 & 0x7ff));
    }
    if (F::field(a) == 0) return F::infinity(F::sign(a));
    return (a & F::kFractionMask) != 0 ? F::quiet(a) : F::zero(F::sign(a));
  }
};
struct fp_rsqrt {
  u32 operator()(u32 a) const {
    using F = softfloat::Binary32;
    if (F::field(a) == 0) return F::infinity(F::sign(a));
    if (F::field(a) == F::kMaxField && (a & F::kFractionMask) != 0) return F::quiet(a);
    if (F::sign(a)) return F::default_nan();
    if (!F::is_normal(a)) return F::zero(false);
    const i32 exponent = F::field(a) - F::kBias;
    return approx::assemble(false, -(exponent >> 1), approx::kReciprocalRoot[exponent & 1][a >> 13 & 0x3ff]);
  }
};

template <class Op>
using sem_approx_packed = per_lane1<u32, Op>;
template <class Op>
struct sem_approx_scalar {
  V128 operator()(V128 dst, u32 src) const { return with_lane(dst, 0, Op{}(src)); }
};

}  // namespace reprise::cpu
