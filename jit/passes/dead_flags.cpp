// Dead flags: where the status flags need not be what they should, because instructions that touch registers
// only and cannot fail come next, and one of them writes all of them before any reads one. Whoever jumps
// there need not save them.
#include "cpu/decode/insn_table.h"
#include "jit/passes/passes.h"
#include "jit/plan/insn_effects.h"

namespace reprise::jit {
namespace {

using cpu::Insn;

enum class Effect : u8 {
  None,        // reads none, and nobody looks at them
  Overwrites,  // the same, and writes all of them
  Unknown
};

// That an instruction is left to its handler does not matter: it neither reads flags nor ends the run, and what it finds
// of them is overwritten behind it all the same.
Effect effect_of(const Insn& in) {
  const cpu::InsnRow& row = cpu::insn_row(in.mnemonic);
  if (!registers_only(in) || (row.tested & cpu::kRflagsStatus) != 0) return Effect::Unknown;
  const bool all = ((row.written | row.undefined) & cpu::kRflagsStatus) == cpu::kRflagsStatus;
  return all && !row.operands.has(cpu::Operands::kMayKeepFlags) ? Effect::Overwrites : Effect::None;
}

}  // namespace

void find_dead_flags(std::span<const Insn> insns, Plan& plan) {
  bool dead = false;  // behind the last instruction, for all that is known
  for (std::size_t i = insns.size(); i-- > 0;) {
    const Effect effect = effect_of(insns[i]);
    dead = effect == Effect::Overwrites || (effect == Effect::None && dead);
    plan.insns[i].flags_dead = dead;
  }
}

bool flags_dead_at_entry(std::span<const Insn> insns) {
  for (const Insn& in : insns) {
    const Effect effect = effect_of(in);
    if (effect != Effect::None) return effect == Effect::Overwrites;
  }
  return false;
}

}  // namespace reprise::jit
