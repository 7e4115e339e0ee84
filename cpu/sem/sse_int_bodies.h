// Bodies of integer arithmetic, comparison and logic on lanes. SDM 2B P*. Those that are templates on V have MMX forms.
#pragma once

#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

// --- One lane ---------------------------------------------------------------------------------------------------
// Lane types are promoted, and the result is truncated, unless saturate() says otherwise.

struct wrap_add {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a + b);
  }
};
struct wrap_sub {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a - b);
  }
};
struct saturating_add {
  template <class T>
  T operator()(T a, T b) const {
    return saturate<T>(a + b);
  }
};
struct saturating_sub {
  template <class T>
  T operator()(T a, T b) const {
    return saturate<T>(a - b);
  }
};
struct average {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>((a + b + 1) >> 1);
  }
};
struct minimum {
  template <class T>
  T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};
struct maximum {
  template <class T>
  T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};
struct mask_equal {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a == b ? -1 : 0);
  }
};
struct mask_greater {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a > b ? -1 : 0);
  }
};
struct bit_and {
  u64 operator()(u64 a, u64 b) const { return a & b; }
};
struct bit_andn {
  u64 operator()(u64 a, u64 b) const { return ~a & b; }
};
struct bit_or {
  u64 operator()(u64 a, u64 b) const { return a | b; }
};
struct bit_xor {
  u64 operator()(u64 a, u64 b) const { return a ^ b; }
};
struct absolute {
  template <class T>
  T operator()(T a) const {
    return static_cast<T>(a < 0 ? -static_cast<i64>(a) : a);
  }
};
struct apply_sign {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(b < 0 ? -static_cast<i64>(a) : b == 0 ? 0 : a);
  }
};
struct multiply_low {
  i16 operator()(i16 a, i16 b) const { return static_cast<i16>(a * b); }
  u32 operator()(u32 a, u32 b) const { return a * b; }
};
struct multiply_high {
  i16 operator()(i16 a, i16 b) const { return static_cast<i16>((a * b) >> 16); }
  u16 operator()(u16 a, u16 b) const { return static_cast<u16>((u32{a} * b) >> 16); }
};
struct multiply_high_rounded {
  i16 operator()(i16 a, i16 b) const { return static_cast<i16>((((a * b) >> 14) + 1) >> 1); }
};
/// On quadword lanes: the product of their low doublewords.
struct multiply_even_unsigned {
  u64 operator()(u64 a, u64 b) const { return u64{static_cast<u32>(a)} * static_cast<u32>(b); }
};
struct multiply_even_signed {
  i64 operator()(u64 a, u64 b) const { return i64{static_cast<i32>(a)} * static_cast<i32>(b); }
};

template <class T>
using sem_padd = per_lane<T, wrap_add>;
template <class T>
using sem_psub = per_lane<T, wrap_sub>;
template <class T>
using sem_padds = per_lane<T, saturating_add>;
template <class T>
using sem_psubs = per_lane<T, saturating_sub>;
template <class T>
using sem_pavg = per_lane<T, average>;
template <class T>
using sem_pmin = per_lane<T, minimum>;
template <class T>
using sem_pmax = per_lane<T, maximum>;
template <class T>
using sem_pcmpeq = per_lane<T, mask_equal>;
template <class T>
using sem_pcmpgt = per_lane<T, mask_greater>;
template <class T>
using sem_pabs = per_lane1<T, absolute>;
template <class T>
using sem_psign = per_lane<T, apply_sign>;
template <class T>
using sem_pmull = per_lane<T, multiply_low>;
template <class T>
using sem_pmulh = per_lane<T, multiply_high>;
using sem_pmulhrsw = per_lane<i16, multiply_high_rounded>;
using sem_pmuludq = per_lane<u64, multiply_even_unsigned>;
using sem_pmuldq = per_lane<u64, multiply_even_signed>;
using sem_pand = per_lane<u64, bit_and>;
using sem_pandn = per_lane<u64, bit_andn>;
using sem_por = per_lane<u64, bit_or>;
using sem_pxor = per_lane<u64, bit_xor>;

// --- Neighbouring lanes -----------------------------------------------------------------------------------------

struct sem_pmaddwd {
  template <class V>
  V operator()(V dst, V src) const {
    const auto a = lanes<i16>(dst), b = lanes<i16>(src);
    // 8000h * 8000h twice wraps to 80000000h.
    return fill_lanes<u32, V>([&](unsigned i) {
      return static_cast<u32>(a[2 * i] * b[2 * i]) + static_cast<u32>(a[2 * i + 1] * b[2 * i + 1]);
    });
  }
};

/// Unsigned bytes of dst times signed bytes of src.
struct sem_pmaddubsw {
  template <class V>
  V operator()(V dst, V src) const {
    const auto a = lanes<u8>(dst);
    const auto b = lanes<i8>(src);
    return fill_lanes<i16, V>(
        [&](unsigned i) { return saturate<i16>(a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1]); });
  }
};

struct sem_psadbw {
  template <class V>
  V operator()(V dst, V src) const {
    const auto a = lanes<u8>(dst), b = lanes<u8>(src);
    return fill_lanes<u64, V>([&](unsigned i) {
      u64 sum = 0;
      for (unsigned j = 8 * i; j < 8 * i + 8; ++j)
        sum += static_cast<u64>(a[j] > b[j] ? a[j] - b[j] : b[j] - a[j]);
      return sum;
    });
  }
};

/// PHADD, PHSUB: pairs of dst, then pairs of src, combined with Fn.
template <class T, class Fn>
struct sem_horizontal {
  template <class V>
  V operator()(V dst, V src) const {
    const auto a = lanes<T>(dst), b = lanes<T>(src);
    constexpr unsigned kHalf = kLanes<T, V> / 2;
    return fill_lanes<T, V>([&](unsigned i) {
      const auto& from = i < kHalf ? a : b;
      const unsigned pair = 2 * (i % kHalf);
      return Fn{}(from[pair], from[pair + 1]);
    });
  }
};

/// Sums of absolute differences of four bytes of src at imm[1:0] * 4 and each four bytes of dst from imm[2] * 4 on.
struct sem_mpsadbw {
  V128 operator()(V128 dst, V128 src, u8 imm) const {
    const auto a = lanes<u8>(dst), b = lanes<u8>(src);
    const unsigned dst_start = (imm >> 2 & 1) * 4, src_start = (imm & 3) * 4;
    return fill_lanes<u16, V128>([&](unsigned i) {
      int sum = 0;
      for (unsigned j = 0; j < 4; ++j) {
        const int difference = a[dst_start + i + j] - b[src_start + j];
        sum += difference < 0 ? -difference : difference;
      }
      return sum;
    });
  }
};

/// The smallest word and, in bits 18:16, the lowest index it is found at.
struct sem_phminposuw {
  V128 operator()(V128 src) const {
    const auto words = lanes<u16>(src);
    u64 best = 0;
    for (unsigned i = 1; i < 8; ++i) {
      if (words[i] < words[best]) best = i;
    }
    return V128{{words[best] | best << 16, 0}};
  }
};

struct sem_ptest {
  u64 operator()(V128 a, V128 b) const {
    const bool zero = ((a.qword[0] & b.qword[0]) | (a.qword[1] & b.qword[1])) == 0;
    const bool carry = ((~a.qword[0] & b.qword[0]) | (~a.qword[1] & b.qword[1])) == 0;
    return (zero ? kRflagsZf : 0) | (carry ? kRflagsCf : 0);
  }
};

/// VTESTPS, VTESTPD: PTEST of the sign bits alone.
template <class T>
struct sem_vtest {
  u64 operator()(V128 a, V128 b) const {
    const u32 x = sign_mask<T>(a), y = sign_mask<T>(b);
    return ((x & y) == 0 ? kRflagsZf : 0) | ((~x & y) == 0 ? kRflagsCf : 0);
  }
};

// --- Shifts -----------------------------------------------------------------------------------------------------
// A count beyond the lane gives zero, or copies of the sign.

template <class T>
struct sem_psll {
  template <class V>
  V operator()(V dst, u64 count) const {
    if (count >= kBits<T>) return V{};
    return map_lanes<T>(dst, [count](T a) { return static_cast<T>(a << count); });
  }
};
template <class T>
struct sem_psrl {
  template <class V>
  V operator()(V dst, u64 count) const {
    if (count >= kBits<T>) return V{};
    return map_lanes<T>(dst, [count](T a) { return static_cast<T>(a >> count); });
  }
};
template <class T>
struct sem_psra {
  template <class V>
  V operator()(V dst, u64 count) const {
    const u64 bounded = count >= kBits<T> ? kBits<T> - 1 : count;
    return map_lanes<T>(dst, [bounded](T a) { return static_cast<T>(static_cast<Signed<T>>(a) >> bounded); });
  }
};

/// VPSLLVD and kin: each lane has its own count.
struct shift_left {
  template <class T>
  T operator()(T a, T count) const {
    return count < kBits<T> ? static_cast<T>(a << count) : 0;
  }
};
struct shift_right {
  template <class T>
  T operator()(T a, T count) const {
    return count < kBits<T> ? static_cast<T>(a >> count) : 0;
  }
};
struct shift_right_signed {
  i32 operator()(i32 a, i32 count) const { return a >> (static_cast<u32>(count) < 32 ? count : 31); }
};

/// PSLLDQ, PSRLDQ: the count is in bytes.
struct sem_pslldq {
  V128 operator()(V128 dst, u64 count) const {
    const auto bytes = lanes<u8>(dst);
    return fill_lanes<u8, V128>([&](unsigned i) { return i >= count ? bytes[i - count] : 0; });
  }
};
struct sem_psrldq {
  V128 operator()(V128 dst, u64 count) const {
    const auto bytes = lanes<u8>(dst);
    return fill_lanes<u8, V128>(
        [&](unsigned i) { return count < 16 && i + count < 16 ? bytes[i + count] : 0; });
  }
};

}  // namespace reprise::cpu
