// Floating-point arithmetic, logic and comparison. SDM 2A/2B.
#include "cpu/sem/sse_fp_bodies.h"
#include "cpu/sem/sse_int_bodies.h"

namespace reprise::cpu {

#define INSN(name, feature, checks, tested, written, undefined, jit, ...) \
  Handler select_##name(const Insn& insn) { return __VA_ARGS__::select(insn); }
#include "cpu/insn/sse_fp.inc"
#undef INSN

}  // namespace reprise::cpu
