// AES and PCLMULQDQ, VEX forms. SDM 2A, 2B.
#include "cpu/sem/crypto_bodies.h"
#include "cpu/sem/vex_shapes.h"

namespace reprise::cpu {

#define INSN(name, feature, checks, tested, written, undefined, jit, ...) \
  Handler select_##name(const Insn& insn) { return __VA_ARGS__::select(insn); }
#include "cpu/insn/avx_crypto.inc"
#undef INSN

}  // namespace reprise::cpu
