#include "jit/x64/integer.h"

#include "jit/x64/integer_common.h"

namespace reprise::jit::x64 {

bool emit_integer(BlockEmitter& e, const Insn& in) {
  return emit_alu(e, in) || emit_move(e, in) || emit_branch(e, in) || emit_stack(e, in) ||
         emit_shift(e, in) || emit_bit(e, in) || emit_muldiv(e, in) || emit_atomic(e, in) || emit_misc(e, in) ||
         (e.has(Pass::Strings) && emit_string(e, in));
}

}  // namespace reprise::jit::x64
