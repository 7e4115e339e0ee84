// Far transfers, interrupts, IRET, SYSCALL and relatives.
#include "cpu/sem/far.h"

#include "cpu/sem/shapes.h"

namespace reprise::cpu {

Status sem_call_far(Cpu& cpu, const Insn&) { return cpu.raise(kUD); }
Status sem_jmp_far(Cpu& cpu, const Insn&) { return cpu.raise(kUD); }
Status sem_ret_far(Cpu& cpu, const Insn&) { return cpu.raise(kUD); }

#define INSN(name, feature, checks, tested, written, undefined, jit, ...) \
  Handler select_##name(const Insn& insn) { return __VA_ARGS__::select(insn); }
#include "cpu/insn/far.inc"
#undef INSN

}  // namespace reprise::cpu
