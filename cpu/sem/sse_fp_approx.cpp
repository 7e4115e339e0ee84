// RCPPS, RSQRTPS and their scalar forms. SDM 2B.
#include "cpu/sem/sse_fp_approx_bodies.h"

namespace reprise::cpu {

#define ROWS "cpu/insn/sse_fp_approx.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
