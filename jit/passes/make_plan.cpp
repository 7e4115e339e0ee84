#include "jit/passes/passes.h"

namespace reprise::jit {

Plan make_plan(std::span<const cpu::Insn> insns, PassSet passes) {
  Plan plan;
  plan.insns.resize(insns.size());
  if (passes.has(Pass::Groups)) find_probe_groups(insns, plan);
  if (passes.has(Pass::Flags)) {
    find_dead_flags(insns, plan);
    find_remade_flags(insns, plan);
  }
  return plan;
}

}  // namespace reprise::jit
