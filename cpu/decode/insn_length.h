// The length of an instruction as the processor's length decoder sees it: also of what is not defined, which
// raises #UD only when all of its bytes can be fetched.
#pragma once

#include <span>

#include "cpu/state/mode.h"

namespace reprise::cpu {

/// How many bytes the instruction at the start of `bytes` has, as far as they tell: more than bytes.size()
/// when some of it lies beyond. Beyond 15 the number is only a lower bound.
unsigned insn_length(std::span<const u8> bytes, CodeSize code_size);

}  // namespace reprise::cpu
