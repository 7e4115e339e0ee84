// Integer arithmetic, comparison, logic and shifts, VEX forms. SDM 2B, 2C.
#include "cpu/sem/sse_int_bodies.h"
#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {

#define ROWS "cpu/insn/avx_int.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
