// Floating-point arithmetic, logic, comparison and approximations, VEX forms. SDM 2C.
#include "cpu/sem/sse_fp_approx_bodies.h"
#include "cpu/sem/sse_fp_bodies.h"
#include "cpu/sem/sse_int_bodies.h"
#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {
namespace {

/// Steps of both halves go together.
template <class F>
struct vex_dp {
  static Status ymm(Cpu& cpu, const Insn& in) {
    V256 b;
    if (!load_source(cpu, in, 2, sizeof(V256), b)) return Status::Fault;
    const V256 a = cpu.state.ymm[in.reg[1]];
    SseEnv env = sse_env(cpu.state.mxcsr);
    const auto result = sem_dp<F>::template run<2>(env, {half(a, 0), half(a, 1)}, {half(b, 0), half(b, 1)},
                                                   static_cast<u8>(in.imm));
    return write_halves<true>(cpu, in, env, [&](unsigned h) { return result[h]; });
  }
  static Handler select(const Insn& in) { return in.has(Insn::kVex256) ? ymm : run_vex3<sem_dp<F>, 0>; }
};

}  // namespace

#define ROWS "cpu/insn/avx_fp.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
