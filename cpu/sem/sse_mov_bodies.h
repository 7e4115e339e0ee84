// Bodies of vector moves that change part of a register or gather bits. SDM 2B MOV*.
#pragma once

#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

/// Quadword I of the destination := src. MOVLPS, MOVHPS, MOVLHPS.
template <unsigned I>
struct sem_set_qword {
  V128 operator()(V128 dst, u64 src) const {
    dst.qword[I] = src;
    return dst;
  }
};
template <unsigned I>
struct sem_get_qword {
  u64 operator()(V128 src) const { return src.qword[I]; }
};
struct sem_movhlps {
  V128 operator()(V128 dst, V128 src) const { return V128{{src.qword[1], dst.qword[1]}}; }
};

struct sem_movddup {
  V128 operator()(u64 src) const { return V128{{src, src}}; }
};
/// MOVSLDUP and MOVSHDUP: even or odd doublewords, each twice.
template <unsigned Odd>
struct sem_movdup {
  V128 operator()(V128 src) const {
    const auto dwords = lanes<u32>(src);
    return fill_lanes<u32, V128>([&](unsigned i) { return dwords[(i & ~1u) | Odd]; });
  }
};

/// MOVMSKPS, MOVMSKPD, PMOVMSKB.
template <class T>
struct sem_movmsk {
  template <class V>
  u32 operator()(V src) const {
    return sign_mask<T>(src);
  }
};

struct sem_movq2dq {
  V128 operator()(V64 src) const { return V128{{src.qword[0], 0}}; }
};
struct sem_movdq2q {
  V64 operator()(u64 src) const { return V64{{src}}; }
};

}  // namespace reprise::cpu
