// Every mnemonic of the instruction table, in table order. Apart from cpu/insn.h so that a new row does not
// recompile whatever only passes instructions on.
#pragma once

#include "cpu/insn.h"

namespace reprise::cpu {

enum class Mnemonic : u16 {
  Invalid,
#define INSN(name, ...) name,
#include "cpu/insn_table.inc"
#undef INSN
  Count
};

}  // namespace reprise::cpu
