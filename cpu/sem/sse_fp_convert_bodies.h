// Bodies of conversions between integers and floating point, and between formats. SDM 2A CVT*.
#pragma once

#include "cpu/sem/sse_fp_bodies.h"

namespace reprise::cpu {

/// With the rounding of MXCSR (CVT*) or toward zero (CVTT*).
enum class Convert : u8 { Rounds, Truncates };

template <class F, class To, Convert C>
To fp_to_int(SseEnv& env, BitsOf<F> value) {
  if (C == Convert::Truncates && env.host_exact &&
      F::field(value) < F::kBias + static_cast<i32>(kBits<To>) - 1) {
    return static_cast<To>(static_cast<Signed<To>>(to_host<F>(value)));
  }
  constexpr auto kWidth = sizeof(To) == 8 ? softfloat::IntWidth::Qword : softfloat::IntWidth::Dword;
  const auto rounding = C == Convert::Truncates ? softfloat::Rounding::Truncate : env.rounding;
  return static_cast<To>(softfloat::to_int<F>(env, value, kWidth, rounding));
}

template <class F>
BitsOf<F> fp_from_int(SseEnv& env, i64 value) {
  if (env.host_exact) return from_host<F>(static_cast<HostFloat<F>>(value));
  return softfloat::from_int64<F>(env, value);
}

/// Between the two formats. Widening is exact; narrowing rounds, and stays clear of the limits of binary32.
template <class To, class From>
BitsOf<To> fp_to_format(SseEnv& env, BitsOf<From> value) {
  constexpr bool kWidens = sizeof(BitsOf<To>) > sizeof(BitsOf<From>);
  if (kWidens ? comparable<From>(value) : env.host_exact && within_exponents<From>(value, 100)) {
    return from_host<To>(static_cast<HostFloat<To>>(to_host<From>(value)));
  }
  return softfloat::convert<To, From>(env, value);
}

/// CVTDQ2PS, CVTPI2PD and kin: Count doublewords from the low end of the source; upper elements of `result` stay.
template <class F, class S>
V128 doublewords_to_fp(SseEnv& env, V128 result, const S& src) {
  const auto a = std::bit_cast<std::array<i32, sizeof(S) / 4>>(src);
  constexpr unsigned kCount = std::min<unsigned>(sizeof(S) / 4, kLanes<BitsOf<F>, V128>);
  for (unsigned i = 0; i < kCount; ++i) result = with_lane(result, i, fp_from_int<F>(env, a[i]));
  return result;
}
/// The unused upper elements of the result are zero.
template <class F, class S>
struct sem_cvt_dwords {
  V128 operator()(SseEnv& env, S src) const { return doublewords_to_fp<F>(env, V128{}, src); }
};
/// CVTPI2PS: they keep their value.
template <class S>
struct sem_cvtpi2ps {
  V128 operator()(SseEnv& env, V128 dst, S src) const { return doublewords_to_fp<Binary32>(env, dst, src); }
};

/// CVTPS2DQ, CVTPD2PI and kin: all elements of S to doublewords at the low end of V, zeros above.
template <class F, class V, class S, Convert C>
struct sem_cvt_to_dwords {
  V operator()(SseEnv& env, S src) const {
    const auto a = std::bit_cast<std::array<BitsOf<F>, sizeof(S) / sizeof(BitsOf<F>)>>(src);
    Lanes<u32, V> result{};
    for (unsigned i = 0; i < a.size(); ++i) result[i] = fp_to_int<F, u32, C>(env, a[i]);
    return from_lanes(result);
  }
};

struct sem_cvtps2pd {
  V128 operator()(SseEnv& env, u64 src) const {
    return fill_lanes<u64, V128>(
        [&](unsigned i) { return fp_to_format<Binary64, Binary32>(env, static_cast<u32>(src >> (32 * i))); });
  }
};
struct sem_cvtpd2ps {
  V128 operator()(SseEnv& env, V128 src) const {
    const u64 low = fp_to_format<Binary32, Binary64>(env, src.qword[0]);
    const u64 high = fp_to_format<Binary32, Binary64>(env, src.qword[1]);
    return V128{{low | high << 32, 0}};
  }
};

/// CVTSS2SD, CVTSD2SS.
template <class To, class From>
struct sem_cvt_scalar {
  V128 operator()(SseEnv& env, V128 dst, BitsOf<From> src) const {
    return with_lane(dst, 0, fp_to_format<To, From>(env, src));
  }
};
/// CVTSI2SS, CVTSI2SD; T is u32 or u64.
template <class F>
struct sem_cvt_from_gpr {
  template <class T>
  V128 operator()(SseEnv& env, V128 dst, T src) const {
    return with_lane(dst, 0, fp_from_int<F>(env, static_cast<Signed<T>>(src)));
  }
};
/// CVTSS2SI and kin.
template <class F, class To, Convert C>
struct sem_cvt_to_gpr {
  To operator()(SseEnv& env, BitsOf<F> src) const { return fp_to_int<F, To, C>(env, src); }
};

/// The destination of CVTSS2SI and kin is 64 bits wide with REX.W or VEX.W.
template <class F, Convert C>
struct cvt_to_gpr {
  static Handler select(const Insn& in) {
    return in.size0 == 8 ? vwrite_gpr<sem_cvt_to_gpr<F, u64, C>, BitsOf<F>>::select(in)
                         : vwrite_gpr<sem_cvt_to_gpr<F, u32, C>, BitsOf<F>>::select(in);
  }
};

/// VCVTPH2PS: four elements. DAZ and FTZ have no say, and denormals raise nothing.
struct sem_cvtph2ps {
  V128 operator()(SseEnv& env, u64 src) const {
    return fill_lanes<u32, V128>([&](unsigned i) {
      return softfloat::convert<Binary32, softfloat::Binary16>(env, static_cast<u16>(src >> (16 * i)));
    });
  }
};
/// VCVTPS2PH: four elements; imm[1:0] is the rounding unless imm[2] asks for MXCSR's.
struct sem_cvtps2ph {
  u64 operator()(SseEnv& env, V128 src, u8 imm) const {
    if (!(imm & 4)) env.rounding = static_cast<softfloat::Rounding>(imm & 3);
    const auto a = lanes<u32>(src);
    u64 result = 0;
    for (unsigned i = 0; i < 4; ++i)
      result |= u64{softfloat::convert<softfloat::Binary16, Binary32>(env, a[i])} << (16 * i);
    return result;
  }
};

}  // namespace reprise::cpu
