// Conversions between integers and floating point, and between formats, VEX forms; F16C. SDM 2A, 2C.
#include "cpu/sem/sse_fp_convert_bodies.h"
#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {
namespace {

/// The integer operand is 64 bits wide with VEX.W.
template <class F>
struct vex_cvt_from_gpr {
  static Handler select(const Insn& in) {
    return in.operand_bytes == 8 ? run_vex3_gpr<sem_cvt_from_gpr<F>, u64>
                                 : run_vex3_gpr<sem_cvt_from_gpr<F>, u32>;
  }
};

/// Processors do not check the alignment of its 8 bytes.
struct vcvtph2ps {
  static Status run(Cpu& cpu, const Insn& in) {
    return run_vex2_widen<sem_cvtph2ps, u64>(cpu, without_alignment_check(in));
  }
  static Handler select(const Insn&) { return run; }
};

/// The destination is half as wide as the source. No alignment check either.
struct vcvtps2ph {
  static Status run(Cpu& cpu, const Insn& in) {
    const V256 a = cpu.state.ymm[in.reg[1]];
    SseEnv env = sse_env(cpu.state.mxcsr);
    V256 result{};
    for (unsigned h = 0; h < halves(in); ++h)
      result.qword[h] = sem_cvtps2ph{}(env, half(a, h), static_cast<u8>(in.imm));
    if (!commit_mxcsr(cpu, env)) return Status::Fault;
    if (in.form == Form::MR)
      return store_vex(cpu, without_alignment_check(in), vector_bytes(in) / 2, result) ? Status::Next
                                                                                       : Status::Fault;
    cpu.state.ymm[in.reg[0]] = result;
    return Status::Next;
  }
  static Handler select(const Insn&) { return run; }
};

}  // namespace

#define ROWS "cpu/insn/avx_fp_convert.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
