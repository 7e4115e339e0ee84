#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {

bool raise_misaligned(Cpu& cpu, const Insn& in, u64 bytes, mmu::Access access) {
  u64 linear;
  if (!data_linear(cpu, in, bytes, access, linear)) return false;
  cpu.raise(kGP, 0);
  return false;
}

bool raise_simd_exception(Cpu& cpu) {
  cpu.raise((cpu.state.cr4 & mmu::kCr4Osxmmexcpt) != 0 ? kXM : kUD);
  return false;
}

}  // namespace reprise::cpu
