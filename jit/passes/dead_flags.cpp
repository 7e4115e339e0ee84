// Dead flags: where the status flags need not be what they should, because instructions that touch registers
// only and cannot fail come next, and one of them writes all of them before any reads one. Whoever jumps
// there need not save them.
#include <algorithm>

#include "cpu/decode/insn_table.h"
#include "jit/insn_effects.h"
#include "jit/insn_forms.h"
#include "jit/passes/passes.h"
#include "jit/translation_unit.h"

namespace reprise::jit {
namespace {

using cpu::Form;
using cpu::Insn;
using cpu::Mnemonic;

enum class Effect : u8 {
  None,        // reads none, and nobody looks at them
  Overwrites,  // the same, and writes all of them
  Unknown
};

/// The form is one of general registers, with an immediate or without.
bool registers_only(const Insn& in) {
  switch (in.form) {
    case Form::R:
    case Form::RI: return general_operand(in, 0);
    case Form::RR: return general_operand(in, 0) && general_operand(in, 1);
    default: return false;
  }
}

/// Emitted for certain, as instructions on registers that cannot fail.
bool certain(const Insn& in) {
  if (raises(in)) return false;
  switch (in.mnemonic) {
    case Mnemonic::ADD:
    case Mnemonic::SUB:
    case Mnemonic::CMP:
    case Mnemonic::TEST:
    case Mnemonic::AND:
    case Mnemonic::OR:
    case Mnemonic::XOR: return registers_only(in) && (in.form != Form::RI || immediate_fits(in, in.size0));
    case Mnemonic::MOV:
    case Mnemonic::MOVZX:
    case Mnemonic::MOVSX:
    case Mnemonic::MOVSXD:
    case Mnemonic::INC:
    case Mnemonic::DEC: return registers_only(in);
    case Mnemonic::LEA: return in.size0 >= 4 && plain_address(in) && general_operand(in, 0);
    case Mnemonic::NOP: return true;
    default: return false;
  }
}

Effect effect_of(const Insn& in) {
  const cpu::InsnRow& row = cpu::insn_row(in.mnemonic);
  if (!certain(in) || (row.tested & cpu::kRflagsStatus) != 0) return Effect::Unknown;
  const bool all = ((row.written | row.undefined) & cpu::kRflagsStatus) == cpu::kRflagsStatus;
  return all ? Effect::Overwrites : Effect::None;
}

/// Code for it may need registers besides the general ones, which may be refused at the block's head.
bool needs_host_registers(const Insn& in, PassSet passes) {
  return (passes.has(Pass::Vectors) && on_vector_registers(in)) ||
         (passes.has(Pass::X87) && x87_row(in.mnemonic));
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

bool flags_dead_at_entry(const cpu::Block& block, PassSet passes) {
  if (block.crosses_page() || segmented_code(block.mode)) return false;
  const std::span<const Insn> insns(block.insns.get(), block.count);
  if (std::ranges::any_of(insns, [&](const Insn& in) { return needs_host_registers(in, passes); }))
    return false;
  for (const Insn& in : insns) {
    const Effect effect = effect_of(in);
    if (effect != Effect::None) return effect == Effect::Overwrites;
  }
  return false;
}

}  // namespace reprise::jit
