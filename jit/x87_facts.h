// What decoding leaves out about x87 instructions that generated code may hold. Independent of the host.
#pragma once

#include "cpu/core/insn.h"

namespace reprise::jit {

struct X87Facts {
  bool x87 = false;              // the row is one of these
  bool two_registers = false;    // names both register operands
  bool second_register = false;  // of two operands the second is the one that is named
  bool stores = false;           // a memory operand is written
  bool reads_flags = false;
  bool makes_flags = false;
  bool control = false;  // FIP is not its address
};

const X87Facts& x87_facts(cpu::Mnemonic mnemonic);

}  // namespace reprise::jit
