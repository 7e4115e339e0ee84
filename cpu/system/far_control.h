// Far transfers of control: JMP, CALL, RET, IRET, call gates. SDM 3A 5.8, SDM 2A-2B.
#pragma once

#include "cpu/system/segments.h"

namespace reprise::cpu {

/// Checks of a code segment reached without a gate or through a return, beyond descriptor type and privilege:
/// L and D not both set in long mode, present, and `rip` within the limit or canonical. Sets the accessed bit.
[[nodiscard]] bool check_code_target(Cpu& cpu, u16 selector, Descriptor& descriptor, u64 rip);

/// True when a segment with this descriptor runs in 64-bit mode.
inline bool is_64bit_code(const Cpu& cpu, const Descriptor& descriptor) {
  return in_long_mode(cpu) && descriptor.is_long();
}

Status jump_far(Cpu& cpu, const Insn& in, u16 selector, u64 offset);
Status call_far(Cpu& cpu, const Insn& in, u16 selector, u64 offset);
Status return_far(Cpu& cpu, unsigned operand_bytes, u64 release_bytes);
Status interrupt_return(Cpu& cpu, const Insn& in, unsigned operand_bytes);

}  // namespace reprise::cpu
