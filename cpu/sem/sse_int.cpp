// Integer arithmetic, comparison, logic and shifts on MMX and XMM registers. SDM 2B.
#include "cpu/sem/sse_int_bodies.h"

namespace reprise::cpu {

#define ROWS "cpu/insn/sse_int.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
