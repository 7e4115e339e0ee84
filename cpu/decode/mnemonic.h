// Every mnemonic of the instruction table, in table order. Apart from cpu/core/insn.h so that a new row does not
// recompile whatever only passes instructions on.
#pragma once

#include "cpu/core/insn.h"

namespace reprise::cpu {

enum class Mnemonic : u16 {
  Invalid,
#define INSN(name, ...) name,
#include "cpu/decode/insn_table.inc"
#undef INSN
  Count
};

}  // namespace reprise::cpu
