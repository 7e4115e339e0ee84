// Bodies that rearrange lanes: shuffles, unpacks, packs, inserts, extracts, blends, extensions. SDM 2A/2B.
#pragma once

#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

/// Field i of two bits of an immediate.
constexpr unsigned selector2(u8 imm, unsigned i) { return imm >> (2 * i) & 3; }

struct sem_shufps {
  V128 operator()(V128 dst, V128 src, u8 imm) const {
    const auto a = lanes<u32>(dst), b = lanes<u32>(src);
    return fill_lanes<u32, V128>([&](unsigned i) { return (i < 2 ? a : b)[selector2(imm, i)]; });
  }
};
struct sem_shufpd {
  V128 operator()(V128 dst, V128 src, u8 imm) const {
    return V128{{dst.qword[imm & 1], src.qword[imm >> 1 & 1]}};
  }
};
struct sem_pshufd {
  V128 operator()(V128 src, u8 imm) const {
    const auto a = lanes<u32>(src);
    return fill_lanes<u32, V128>([&](unsigned i) { return a[selector2(imm, i)]; });
  }
};
/// PSHUFW, PSHUFLW, PSHUFHW: four words from First on; the others stay.
template <unsigned First>
struct sem_pshufw {
  template <class V>
  V operator()(V src, u8 imm) const {
    const auto a = lanes<u16>(src);
    return fill_lanes<u16, V>(
        [&](unsigned i) { return i - First < 4 ? a[First + selector2(imm, i - First)] : a[i]; });
  }
};

struct sem_pshufb {
  template <class V>
  V operator()(V dst, V src) const {
    const auto a = lanes<u8>(dst), control = lanes<u8>(src);
    return fill_lanes<u8, V>(
        [&](unsigned i) { return a[control[i] & (sizeof(V) - 1)] & ((control[i] >> 7) - 1); });
  }
};

enum class Half : u8 { Low, High };

/// PUNPCK*, UNPCK*: lanes of one half of dst and src, in turn.
template <class T, Half H>
struct sem_unpack {
  template <class V>
  V operator()(V dst, V src) const {
    const auto a = lanes<T>(dst), b = lanes<T>(src);
    constexpr unsigned kStart = H == Half::High ? kLanes<T, V> / 2 : 0;
    return fill_lanes<T, V>([&](unsigned i) { return (i & 1 ? b : a)[kStart + i / 2]; });
  }
};

/// PACK*: lanes of dst, then of src, saturated to half their width.
template <class To, class From>
struct sem_pack {
  template <class V>
  V operator()(V dst, V src) const {
    const auto a = lanes<From>(dst), b = lanes<From>(src);
    constexpr unsigned kCount = kLanes<From, V>;
    return fill_lanes<To, V>(
        [&](unsigned i) { return saturate<To>(static_cast<i32>((i < kCount ? a : b)[i % kCount])); });
  }
};

struct sem_palignr {
  template <class V>
  V operator()(V dst, V src, u8 imm) const {
    const auto high = lanes<u8>(dst), low = lanes<u8>(src);
    constexpr unsigned kSize = sizeof(V);
    return fill_lanes<u8, V>([&](unsigned i) {
      const unsigned from = i + imm;
      return from < kSize ? low[from] : from < 2 * kSize ? high[from - kSize] : 0;
    });
  }
};

/// PINSR*, PEXTR*: imm counts lanes, modulo their number.
template <class T>
struct sem_insert {
  template <class V>
  V operator()(V dst, T src, u8 imm) const {
    return with_lane<T>(dst, imm % kLanes<T, V>, src);
  }
};
template <class T>
struct sem_extract {
  template <class V>
  T operator()(V src, u8 imm) const {
    return lane<T>(src, imm % kLanes<T, V>);
  }
};

/// The element is put at imm[5:4]; then imm[3:0] clears lanes.
struct sem_insertps {
  V128 operator()(V128 dst, u32 element, u8 imm) const {
    const V128 inserted = with_lane<u32>(dst, imm >> 4 & 3, element);
    const auto a = lanes<u32>(inserted);
    return fill_lanes<u32, V128>([&](unsigned i) { return bit(imm, i) ? 0 : a[i]; });
  }
};

/// BLENDPS, BLENDPD, PBLENDW: src where the immediate has a one.
template <class T>
struct sem_blend {
  V128 operator()(V128 dst, V128 src, u8 imm) const {
    const auto a = lanes<T>(dst), b = lanes<T>(src);
    return fill_lanes<T, V128>([&](unsigned i) { return bit(imm, i) ? b[i] : a[i]; });
  }
};
/// BLENDVPS, BLENDVPD, PBLENDVB: src where the top bit of the mask's lane is set.
template <class T>
struct sem_blendv {
  V128 operator()(V128 dst, V128 src, V128 mask) const {
    const auto a = lanes<T>(dst), b = lanes<T>(src), m = lanes<T>(mask);
    return fill_lanes<T, V128>([&](unsigned i) { return bit(m[i], kBits<T> - 1) ? b[i] : a[i]; });
  }
};

/// PMOVZX*, PMOVSX*: as many From lanes as the result has To lanes; From is signed for PMOVSX.
template <class To, class From>
struct sem_extend {
  using Source = std::conditional_t<sizeof(To) == 2 * sizeof(From), u64,
                                    std::conditional_t<sizeof(To) == 4 * sizeof(From), u32, u16>>;
  V128 operator()(Source src) const {
    const auto a = std::bit_cast<std::array<From, sizeof(Source) / sizeof(From)>>(src);
    return fill_lanes<To, V128>([&](unsigned i) { return static_cast<To>(a[i]); });
  }
};

}  // namespace reprise::cpu
