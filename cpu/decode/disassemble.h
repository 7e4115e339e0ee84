// Machine code as text, for a person: dumps and reports. Guest and host code alike.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cpu/state/mode.h"
#include "mmu/mmu.h"

namespace reprise::cpu {

/// The longest instruction, in bytes (SDM 2A 2.3.11).
inline constexpr unsigned kMaxInsnBytes = 15;

/// What an instruction at `linear` may be of, as memory is mapped now: up to kMaxInsnBytes, up to the first that is not mapped, or not
/// in memory. Looking changes nothing.
std::vector<u8> peek_code(mmu::Mmu& mmu, u64 linear);

struct Disassembled {
  std::string text;  // Intel syntax; "(bad)" when it is no instruction
  unsigned length = 1;
};

/// The instruction at the beginning of `bytes`, which lies at `address`. `bits` is 16, 32 or 64.
Disassembled disassemble(std::span<const u8> bytes, u64 address, unsigned bits);

/// 16, 32 or 64, by the size of the code segment.
unsigned code_bits(ModeKey mode);

}  // namespace reprise::cpu
