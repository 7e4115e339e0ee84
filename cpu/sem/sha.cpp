// SHA-1 and SHA-256. SDM 2B.
#include "cpu/sem/sha_bodies.h"

namespace reprise::cpu {

#define INSN(name, feature, checks, tested, written, undefined, jit, ...) \
  Handler select_##name(const Insn& insn) { return __VA_ARGS__::select(insn); }
#include "cpu/insn/sha.inc"
#undef INSN

}  // namespace reprise::cpu
