// Fused multiply-add. SDM 2C VFMADD132PS and kin.
#include "cpu/sem/fp_host.h"
#include "cpu/sem/vex_shapes.h"
#include "cpu/softfloat/softfloat.h"

namespace reprise::cpu {
namespace {

using softfloat::Binary32;
using softfloat::Binary64;
using softfloat::FmaSigns;

/// Which operands are multiplied and which is added.
enum class Order : u8 { k132, k213, k231 };

/// What is negated in even and in odd elements.
struct Signs {
  FmaSigns even, odd;
};
constexpr Signs kFmadd{FmaSigns::None, FmaSigns::None};
constexpr Signs kFmsub{FmaSigns::NegateAddend, FmaSigns::NegateAddend};
constexpr Signs kFnmadd{FmaSigns::NegateProduct, FmaSigns::NegateProduct};
constexpr Signs kFnmsub{FmaSigns::NegateBoth, FmaSigns::NegateBoth};
constexpr Signs kFmaddsub{FmaSigns::NegateAddend, FmaSigns::None};
constexpr Signs kFmsubadd{FmaSigns::None, FmaSigns::NegateAddend};

template <class F, Order O>
typename F::Bits fma_element(SseEnv& env, typename F::Bits op1, typename F::Bits op2, typename F::Bits op3,
                             FmaSigns signs) {
  switch (O) {
    case Order::k132: return softfloat::fma<F>(env, op1, op3, op2, signs);
    case Order::k213: return softfloat::fma<F>(env, op2, op1, op3, signs);
    default: return softfloat::fma<F>(env, op2, op3, op1, signs);
  }
}

template <class F, Order O, Signs S>
struct sem_fma_packed {
  V128 operator()(SseEnv& env, V128 op1, V128 op2, V128 op3) const {
    using Bits = typename F::Bits;
    const auto a = lanes<Bits>(op1), b = lanes<Bits>(op2), c = lanes<Bits>(op3);
    return fill_lanes<Bits, V128>(
        [&](unsigned i) { return fma_element<F, O>(env, a[i], b[i], c[i], i & 1 ? S.odd : S.even); });
  }
};
/// The other elements of the destination keep their value.
template <class F, Order O, Signs S>
struct sem_fma_scalar {
  using Bits = typename F::Bits;
  V128 operator()(SseEnv& env, V128 op1, V128 op2, Bits op3) const {
    return with_lane(op1, 0, fma_element<F, O>(env, lane<Bits>(op1, 0), lane<Bits>(op2, 0), op3, S.even));
  }
};

}  // namespace

#define ROWS "cpu/insn/fma.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
