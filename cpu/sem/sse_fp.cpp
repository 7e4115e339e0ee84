// Floating-point arithmetic, logic and comparison. SDM 2A/2B.
#include "cpu/sem/sse_fp_bodies.h"
#include "cpu/sem/sse_int_bodies.h"

namespace reprise::cpu {

#define ROWS "cpu/insn/sse_fp.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
