#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

bool raise_misaligned(Cpu& cpu, const Insn& in, u64 bytes, mmu::Access access) {
  // #AC does not apply: the operand faults with #GP whatever EFLAGS.AC says.
  Insn unchecked = in;
  unchecked.flags &= static_cast<u16>(~Insn::kAlignCheck);
  u64 linear;
  if (!data_linear(cpu, unchecked, bytes, access, linear)) return false;
  cpu.raise(kGP, 0);
  return false;
}

bool raise_simd_exception(Cpu& cpu) {
  cpu.raise((cpu.state.cr4 & mmu::kCr4Osxmmexcpt) != 0 ? kXM : kUD);
  return false;
}

}  // namespace reprise::cpu
