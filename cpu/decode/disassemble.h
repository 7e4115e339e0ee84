// Machine code as text, for a person: dumps and reports. Guest and host code alike.
#pragma once

#include <span>
#include <string>

#include "cpu/state/mode.h"

namespace reprise::cpu {

struct Disassembled {
  std::string text;  // Intel syntax; "(bad)" when it is no instruction
  unsigned length = 1;
};

/// The instruction at the beginning of `bytes`, which lies at `address`. `bits` is 16, 32 or 64.
Disassembled disassemble(std::span<const u8> bytes, u64 address, unsigned bits);

/// 16, 32 or 64, by the size of the code segment.
unsigned code_bits(ModeKey mode);

}  // namespace reprise::cpu
