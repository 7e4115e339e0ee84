// EMMS. SDM 2A; SDM 3A 12.2.
#include "cpu/sem/shapes.h"
#include "cpu/sem/vector_shapes.h"

namespace reprise::cpu {
namespace {

Status sem_emms(Cpu& cpu, const Insn&) {
  if (!begin_mmx<V64>(cpu)) return Status::Fault;
  end_mmx<V64>(cpu);
  cpu.state.x87.valid = 0;
  return Status::Next;
}

}  // namespace

#define INSN(name, feature, checks, tested, written, undefined, jit, ...) \
  Handler select_##name(const Insn& insn) { return __VA_ARGS__::select(insn); }
#include "cpu/insn/mmx.inc"
#undef INSN

}  // namespace reprise::cpu
