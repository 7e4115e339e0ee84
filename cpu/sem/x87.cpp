// Reporting of x87 exceptions: the summary bits and the pointers that a handler reads. SDM 1 8.1.8, 8.6.
#include "cpu/sem/x87.h"

namespace reprise::cpu::x87 {
namespace {

/// The 11-bit opcode of the x87 instruction at the running instruction: low 3 bits of its first byte, then
/// ModRM.
u16 opcode_at(Cpu& cpu, const Insn& in) {
  u64 linear = cpu.rip_of(in) + cpu.state.seg[CS].base;
  if (!cpu.mode.is64()) linear = static_cast<u32>(linear);
  u8 byte = 0;
  for (unsigned i = 0; i + 1 < in.length(); ++i) {
    u8 modrm;
    if (!cpu.mmu.load_as(mmu::View::KernelAc, linear + i, &byte, 1)) return 0;
    if ((byte & 0xf8) != 0xd8) continue;
    if (!cpu.mmu.load_as(mmu::View::KernelAc, linear + i + 1, &modrm, 1)) return 0;
    return static_cast<u16>((byte & 7) << 8 | modrm);
  }
  return 0;
}

}  // namespace

void Operation::report_unmasked() {
  const u16 fsw_before = fpu.fsw;
  update_summary(fpu);
  signal_new_exception(cpu, fsw_before);
  fpu.fop = opcode_at(cpu, in);
  if ((static_cast<unsigned>(in.form) & 3) == static_cast<unsigned>(OperandKind::Mem))
    fpu.fdp = effective_address(cpu.state, in);
}

}  // namespace reprise::cpu::x87
