// AES and PCLMULQDQ, VEX forms. SDM 2A, 2B.
#include "cpu/sem/crypto_bodies.h"
#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {

#define ROWS "cpu/insn/avx_crypto.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
