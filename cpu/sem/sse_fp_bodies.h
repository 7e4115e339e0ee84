// Bodies of floating-point arithmetic and comparison. SDM 2A/2B; SDM 1 11.5 for the exceptions. Arithmetic is that of
// cpu/softfloat; fp_host.h says where the host's own is as good. F is Binary32 or Binary64; a scalar body gets the low
// element of its source.
#pragma once

#include <cmath>

#include "cpu/sem/fp_host.h"
#include "cpu/sem/vector_shapes.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::cpu {

using softfloat::Binary32;
using softfloat::Binary64;
template <class F>
using BitsOf = typename F::Bits;

// --- One element ------------------------------------------------------------------------------------------------
// run() is the definition. host() is the same operation on host numbers, for operands that exact() accepts.

struct exact_if_ordinary {
  template <class F>
  static bool exact(BitsOf<F> a, BitsOf<F> b) {
    return ordinary<F>(a) & ordinary<F>(b);
  }
};
struct exact_if_comparable {
  template <class F>
  static bool exact(BitsOf<F> a, BitsOf<F> b) {
    return comparable<F>(a) & comparable<F>(b);
  }
};

struct fp_add : exact_if_ordinary {
  template <class F>
  static BitsOf<F> run(SseEnv& env, BitsOf<F> a, BitsOf<F> b) {
    return softfloat::add<F>(env, a, b);
  }
  template <class T>
  static T host(T a, T b) {
    return a + b;
  }
};
struct fp_sub : exact_if_ordinary {
  template <class F>
  static BitsOf<F> run(SseEnv& env, BitsOf<F> a, BitsOf<F> b) {
    return softfloat::sub<F>(env, a, b);
  }
  template <class T>
  static T host(T a, T b) {
    return a - b;
  }
};
struct fp_mul : exact_if_ordinary {
  template <class F>
  static BitsOf<F> run(SseEnv& env, BitsOf<F> a, BitsOf<F> b) {
    return softfloat::mul<F>(env, a, b);
  }
  template <class T>
  static T host(T a, T b) {
    return a * b;
  }
};
struct fp_div {
  template <class F>
  static BitsOf<F> run(SseEnv& env, BitsOf<F> a, BitsOf<F> b) {
    return softfloat::div<F>(env, a, b);
  }
  template <class T>
  static T host(T a, T b) {
    return a / b;
  }
  template <class F>
  static bool exact(BitsOf<F> a, BitsOf<F> b) {
    return ordinary<F>(a) & ordinary_nonzero<F>(b);
  }
};
struct fp_min : exact_if_comparable {
  template <class F>
  static BitsOf<F> run(SseEnv& env, BitsOf<F> a, BitsOf<F> b) {
    return softfloat::min<F>(env, a, b);
  }
  template <class T>
  static T host(T a, T b) {
    return a < b ? a : b;
  }
};
struct fp_max : exact_if_comparable {
  template <class F>
  static BitsOf<F> run(SseEnv& env, BitsOf<F> a, BitsOf<F> b) {
    return softfloat::max<F>(env, a, b);
  }
  template <class T>
  static T host(T a, T b) {
    return a > b ? a : b;
  }
};
struct fp_sqrt {
  template <class F>
  static BitsOf<F> run(SseEnv& env, BitsOf<F> a) {
    if (env.host_exact && ordinary_nonzero<F>(a) && !F::sign(a))
      return from_host<F>(std::sqrt(to_host<F>(a)));
    return softfloat::sqrt<F>(env, a);
  }
};

template <class F, class Op>
BitsOf<F> fp_element(SseEnv& env, BitsOf<F> a, BitsOf<F> b) {
  if (env.host_exact && Op::template exact<F>(a, b)) [[likely]]
    return from_host<F>(Op::host(to_host<F>(a), to_host<F>(b)));
  return Op::template run<F>(env, a, b);
}

// --- Arithmetic -------------------------------------------------------------------------------------------------

/// ADDPS and kin.
template <class F, class Op>
struct sem_fp_packed {
  V128 operator()(SseEnv& env, V128 dst, V128 src) const {
    if (env.host_exact && exact(dst, src)) [[likely]] {
      return map_lanes<HostFloat<F>>(dst, src, [](auto a, auto b) { return Op::host(a, b); });
    }
    return map_lanes<BitsOf<F>>(dst, src, [&](auto a, auto b) { return Op::template run<F>(env, a, b); });
  }
  static bool exact(const V128& dst, const V128& src) {
    const auto a = lanes<BitsOf<F>>(dst), b = lanes<BitsOf<F>>(src);
    bool all = true;
    for (unsigned i = 0; i < a.size(); ++i) all &= Op::template exact<F>(a[i], b[i]);
    return all;
  }
};
/// ADDSS and kin: the other elements keep their value.
template <class F, class Op>
struct sem_fp_scalar {
  V128 operator()(SseEnv& env, V128 dst, BitsOf<F> src) const {
    return with_lane(dst, 0, fp_element<F, Op>(env, lane<BitsOf<F>>(dst, 0), src));
  }
};
template <class F, class Op>
struct sem_fp_packed1 {
  V128 operator()(SseEnv& env, V128 src) const {
    return map_lanes<BitsOf<F>>(src, [&](auto a) { return Op::template run<F>(env, a); });
  }
};
template <class F, class Op>
struct sem_fp_scalar1 {
  V128 operator()(SseEnv& env, V128 dst, BitsOf<F> src) const {
    return with_lane(dst, 0, Op::template run<F>(env, src));
  }
};

/// HADDPS and kin: Op on neighbours of dst, then of src.
template <class F, class Op>
struct sem_fp_horizontal {
  V128 operator()(SseEnv& env, V128 dst, V128 src) const {
    const auto a = lanes<BitsOf<F>>(dst), b = lanes<BitsOf<F>>(src);
    constexpr unsigned kHalf = kLanes<BitsOf<F>, V128> / 2;
    return fill_lanes<BitsOf<F>, V128>([&](unsigned i) {
      const auto& from = i < kHalf ? a : b;
      const unsigned pair = 2 * (i % kHalf);
      return fp_element<F, Op>(env, from[pair], from[pair + 1]);
    });
  }
};

/// Even elements subtract, odd ones add.
template <class F>
struct sem_addsub {
  V128 operator()(SseEnv& env, V128 dst, V128 src) const {
    const auto a = lanes<BitsOf<F>>(dst), b = lanes<BitsOf<F>>(src);
    return fill_lanes<BitsOf<F>, V128>([&](unsigned i) {
      return i & 1 ? fp_element<F, fp_add>(env, a[i], b[i]) : fp_element<F, fp_sub>(env, a[i], b[i]);
    });
  }
};

/// DPPS, DPPD: imm[7:4] selects products, imm[3:0] where the sum goes. Every element adds its neighbour, DPPS then the
/// one two away; which term comes first shows in the choice between NaNs. Each step is done on all halves of a register
/// before the next.
template <class F>
struct sem_dp {
  using Elements = Lanes<BitsOf<F>, V128>;
  static constexpr unsigned kCount = kLanes<BitsOf<F>, V128>;
  V128 operator()(SseEnv& env, V128 dst, V128 src, u8 imm) const { return run<1>(env, {dst}, {src}, imm)[0]; }
  template <std::size_t Halves>
  static std::array<V128, Halves> run(SseEnv& env, const std::array<V128, Halves>& dst,
                                      const std::array<V128, Halves>& src, u8 imm) {
    std::array<Elements, Halves> term{};
    for (std::size_t h = 0; h < Halves; ++h) {
      const Elements a = lanes<BitsOf<F>>(dst[h]), b = lanes<BitsOf<F>>(src[h]);
      for (unsigned i = 0; i < kCount; ++i)
        term[h][i] = bit(imm, 4 + i) ? softfloat::mul<F>(env, a[i], b[i]) : 0;
    }
    if (kCount == 4)
      add_step(
          env, term, [](unsigned i) { return i ^ 1; }, [](unsigned i) { return i; });
    add_step(
        env, term, [](unsigned i) { return i; }, [](unsigned i) { return i ^ kCount / 2; });
    std::array<V128, Halves> result;
    for (std::size_t h = 0; h < Halves; ++h) {
      result[h] = fill_lanes<BitsOf<F>, V128>([&](unsigned i) { return bit(imm, i) ? term[h][i] : 0; });
    }
    return result;
  }
  template <std::size_t Halves, class First, class Second>
  static void add_step(SseEnv& env, std::array<Elements, Halves>& terms, First first, Second second) {
    if (env.unmasked() != 0) return;
    env.finish_step();
    for (Elements& term : terms) {
      const Elements before = term;
      for (unsigned i = 0; i < kCount; ++i)
        term[i] = softfloat::add<F>(env, before[first(i)], before[second(i)]);
    }
  }
};

/// ROUND*: imm[1:0] is the rounding unless imm[2] asks for MXCSR's; imm[3] suppresses PE.
template <class F>
constexpr BitsOf<F> fp_round(SseEnv& env, BitsOf<F> value, u8 imm) {
  const auto rounding = imm & 4 ? env.rounding : static_cast<softfloat::Rounding>(imm & 3);
  return softfloat::round_to_integral<F>(
      env, value, rounding, imm & 8 ? softfloat::Inexact::Suppressed : softfloat::Inexact::Raises);
}
template <class F>
struct sem_round_packed {
  V128 operator()(SseEnv& env, V128 src, u8 imm) const {
    return map_lanes<BitsOf<F>>(src, [&](auto a) { return fp_round<F>(env, a, imm); });
  }
};
template <class F>
struct sem_round_scalar {
  V128 operator()(SseEnv& env, V128 dst, BitsOf<F> src, u8 imm) const {
    return with_lane(dst, 0, fp_round<F>(env, src, imm));
  }
};

// --- Comparison -------------------------------------------------------------------------------------------------

/// One CMPPS predicate: the relations it holds for, and whether quiet NaNs raise IE. SDM 2A CMPPD table 3-1.
struct FpPredicate {
  bool less, equal, greater, unordered;
  softfloat::NanSignals signals;
  constexpr bool holds(softfloat::Relation relation) const {
    switch (relation) {
      case softfloat::Relation::Less: return less;
      case softfloat::Relation::Equal: return equal;
      case softfloat::Relation::Greater: return greater;
      default: return unordered;
    }
  }
};
/// imm[2:0] for SSE, imm[4:0] for AVX.
constexpr FpPredicate fp_predicate(unsigned imm) {
  // EQ LT LE UNORD NEQ NLT NLE ORD; 8-15 differ in the answer for unordered operands, 16-31 in what they signal.
  constexpr struct {
    bool less, equal, greater, unordered, signals;
  } kBasic[8] = {{false, true, false, false, false}, {true, false, false, false, true},
                 {true, true, false, false, true},   {false, false, false, true, false},
                 {true, false, true, true, false},   {false, true, true, true, true},
                 {false, false, true, true, true},   {true, true, true, false, false}};
  const auto& basic = kBasic[imm & 7];
  FpPredicate predicate{basic.less, basic.equal, basic.greater, basic.unordered,
                        softfloat::NanSignals::OnlySignalling};
  if ((imm & 8) && (imm & 3) == 3) {
    // FALSE and TRUE.
    predicate.less = predicate.equal = predicate.greater = predicate.unordered = (imm & 4) != 0;
  } else if (imm & 8) {
    predicate.unordered = !predicate.unordered;
  }
  if (basic.signals != ((imm & 16) != 0)) predicate.signals = softfloat::NanSignals::Any;
  return predicate;
}

/// Comparisons raise nothing when comparable() holds, whatever MXCSR says.
template <class F>
softfloat::Relation fp_relation(SseEnv& env, BitsOf<F> a, BitsOf<F> b, softfloat::NanSignals signals) {
  if (comparable<F>(a) && comparable<F>(b)) [[likely]] {
    const auto x = to_host<F>(a), y = to_host<F>(b);
    return x < y   ? softfloat::Relation::Less
           : x > y ? softfloat::Relation::Greater
                   : softfloat::Relation::Equal;
  }
  return softfloat::compare<F>(env, a, b, signals);
}
template <class F>
BitsOf<F> fp_compare(SseEnv& env, BitsOf<F> a, BitsOf<F> b, const FpPredicate& predicate) {
  return predicate.holds(fp_relation<F>(env, a, b, predicate.signals)) ? static_cast<BitsOf<F>>(-1) : 0;
}
/// Mask: the bits of the immediate that count, 7 for SSE.
template <class F, u8 Mask>
struct sem_cmp_packed {
  V128 operator()(SseEnv& env, V128 dst, V128 src, u8 imm) const {
    const FpPredicate predicate = fp_predicate(imm & Mask);
    return map_lanes<BitsOf<F>>(dst, src,
                                [&](auto a, auto b) { return fp_compare<F>(env, a, b, predicate); });
  }
};
template <class F, u8 Mask>
struct sem_cmp_scalar {
  V128 operator()(SseEnv& env, V128 dst, BitsOf<F> src, u8 imm) const {
    return with_lane(dst, 0, fp_compare<F>(env, lane<BitsOf<F>>(dst, 0), src, fp_predicate(imm & Mask)));
  }
};

/// COMISS (any NaN signals), UCOMISS (only signalling ones): ZF, PF, CF; the others are cleared.
template <class F, softfloat::NanSignals Signals>
struct sem_comi {
  u64 operator()(SseEnv& env, BitsOf<F> a, BitsOf<F> b) const {
    switch (fp_relation<F>(env, a, b, Signals)) {
      case softfloat::Relation::Less: return kRflagsCf;
      case softfloat::Relation::Equal: return kRflagsZf;
      case softfloat::Relation::Greater: return 0;
      default: return kRflagsZf | kRflagsPf | kRflagsCf;
    }
  }
};

}  // namespace reprise::cpu
