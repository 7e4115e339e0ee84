// RCPPS, RSQRTPS and their scalar forms. SDM 2B.
#include "cpu/sem/sse_fp_approx_bodies.h"

namespace reprise::cpu {

#define INSN(name, feature, checks, tested, written, undefined, jit, ...) \
  Handler select_##name(const Insn& insn) { return __VA_ARGS__::select(insn); }
#include "cpu/insn/sse_fp_approx.inc"
#undef INSN

}  // namespace reprise::cpu
