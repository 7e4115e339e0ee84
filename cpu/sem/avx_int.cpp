// Integer arithmetic, comparison, logic and shifts, VEX forms. SDM 2B, 2C.
#include "cpu/sem/sse_int_bodies.h"
#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {

#define INSN(name, feature, checks, tested, written, undefined, jit, ...) \
  Handler select_##name(const Insn& insn) { return __VA_ARGS__::select(insn); }
#include "cpu/insn/avx_int.inc"
#undef INSN

}  // namespace reprise::cpu
