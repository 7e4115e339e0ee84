// Remade flags: status flags that no instruction reads, but that a fault, a handler or an event before the next
// instruction that writes them all might show, need not be kept where the registers still tell them: whoever has
// to show them makes them again as the instruction did that made them first.
#include <optional>

#include "cpu/decode/insn_facts.h"
#include "cpu/decode/insn_table.h"
#include "jit/passes/passes.h"
#include "jit/plan/insn_effects.h"
#include "jit/plan/insn_forms.h"

namespace reprise::jit {
namespace {

using cpu::Form;
using cpu::Insn;
using cpu::Mnemonic;
using cpu::RegisterSet;

/// The registers that tell the flags that `in` made, once it has run; none: they cannot be told.
RegisterSet told_by(const Insn& in) {
  const bool two = in.form == Form::RR || in.form == Form::RI;
  if (!(two || in.form == Form::R) || in.reg_class[0] != cpu::RegClass::Gpr || !general_operand(in, 0))
    return 0;
  if (in.form == Form::RR && (in.reg_class[1] != cpu::RegClass::Gpr || !general_operand(in, 1))) return 0;
  if (in.form == Form::RI && !immediate_fits(in, in.size0)) return 0;
  const RegisterSet first = RegisterSet{1} << gpr_of(in, 0);
  const RegisterSet both = in.form == Form::RR ? first | RegisterSet{1} << gpr_of(in, 1) : first;
  switch (in.mnemonic) {
    case Mnemonic::CMP:
    case Mnemonic::TEST: return both;
    // From sum or difference and the second operand, unless that is gone.
    case Mnemonic::ADD:
    case Mnemonic::SUB: return in.form == Form::RR && both == first ? 0 : both;
    case Mnemonic::AND:
    case Mnemonic::OR:
    case Mnemonic::XOR:
    case Mnemonic::NEG: return first;
    default: return 0;
  }
}

enum class Effect : u8 {
  None,        // on status flags
  Reads,       // some, and writes none
  Overwrites,  // reads none and writes all
  Other
};

Effect effect_of(const Insn& in) {
  const cpu::InsnRow& row = cpu::insn_row(in.mnemonic);
  constexpr u32 kStatus = cpu::kRflagsStatus;
  if (raises(in) || !effects_known(in)) return Effect::Other;
  const u32 changed = (row.written | row.undefined) & kStatus;
  if ((row.tested & kStatus) != 0) return changed == 0 ? Effect::Reads : Effect::Other;
  if (changed == 0) return Effect::None;
  const bool may_keep =
      row.operands.has(cpu::Operands::kMayKeepFlags) || row.operands.has(cpu::Operands::kMayFault);
  return changed == kStatus && !may_keep ? Effect::Overwrites : Effect::Other;
}

/// What all makers ask of an instruction.
struct Step {
  explicit Step(const Insn& in)
      : effect(effect_of(in)), shows(!registers_only(in)), written(cpu::written_gprs(in)) {}

  Effect effect;
  bool shows;  // something may look at the flags before it
  RegisterSet written;
};

/// Instructions, up to and with the last.
struct Range {
  std::size_t first, last;
};

/// Before these nobody needs the flags any more that instruction `maker` made, but to show them, and they can be told.
std::optional<Range> not_needed(std::span<const Insn> insns, std::span<const Step> steps, std::size_t maker) {
  const RegisterSet tell = told_by(insns[maker]);
  if (tell == 0) return std::nullopt;
  RegisterSet lost = 0;
  bool shown_lost = false;  // something may show them that cannot tell them
  std::size_t first = maker + 1;
  for (std::size_t i = maker + 1; i < insns.size(); ++i) {
    const Effect effect = steps[i].effect;
    if (effect == Effect::Other) return std::nullopt;
    if (effect == Effect::Reads) {
      first = i + 1;
      shown_lost = false;
    } else if (lost != 0 && steps[i].shows) {
      shown_lost = true;
    }
    if (effect == Effect::Overwrites) return shown_lost ? std::nullopt : std::optional(Range{first, i});
    lost |= steps[i].written & tell;
  }
  return std::nullopt;
}

}  // namespace

void find_remade_flags(std::span<const Insn> insns, Plan& plan) {
  const std::vector<Step> steps(insns.begin(), insns.end());
  for (std::size_t maker = 0; maker < insns.size(); ++maker) {
    const std::optional<Range> range = not_needed(insns, steps, maker);
    if (!range) continue;
    for (std::size_t i = range->first; i <= range->last; ++i)
      plan.insns[i].flags_of = static_cast<i16>(maker);
  }
}

}  // namespace reprise::jit
