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

#define ROWS "cpu/insn/mmx.inc"
#include "cpu/sem/select_rows.inc"

}  // namespace reprise::cpu
