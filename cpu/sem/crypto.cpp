// AES and PCLMULQDQ. SDM 2A/2B.
#include "cpu/sem/crypto_bodies.h"

namespace reprise::cpu {

#define ROWS "cpu/insn/crypto.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
