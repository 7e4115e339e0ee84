// SHA-1 and SHA-256. SDM 2B.
#include "cpu/sem/sha_bodies.h"

namespace reprise::cpu {

#define ROWS "cpu/insn/sha.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
