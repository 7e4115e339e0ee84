#include "jit/x64/flag_liveness.h"

#include "jit/x64/integer_common.h"
#include "jit/x64/vector.h"
#include "jit/x64/x87.h"

namespace reprise::jit::x64 {
namespace {

enum class Effect : u8 { None, Overwrites, Unknown };

/// On flags, of instructions that are certain to be emitted.
Effect effect_of(const Insn& in) {
  const bool registers = in.form == Form::RR || in.form == Form::RI;
  switch (in.mnemonic) {
    case Mnemonic::ADD:
    case Mnemonic::SUB:
    case Mnemonic::CMP:
    case Mnemonic::TEST:
    case Mnemonic::AND:
    case Mnemonic::OR:
    case Mnemonic::XOR:
      if (!registers || !operands_ok(in)) return Effect::Unknown;
      return in.form == Form::RR || immediate_fits(in, in.size0) ? Effect::Overwrites : Effect::Unknown;
    case Mnemonic::MOV:
    case Mnemonic::MOVZX:
    case Mnemonic::MOVSX:
    case Mnemonic::MOVSXD: return registers && operands_ok(in) ? Effect::None : Effect::Unknown;
    case Mnemonic::INC:
    case Mnemonic::DEC: return in.form == Form::R && operands_ok(in) ? Effect::None : Effect::Unknown;
    case Mnemonic::LEA:
      return in.size0 >= 4 && plain_address(in) && general_operand(in, 0) ? Effect::None : Effect::Unknown;
    case Mnemonic::NOP: return Effect::None;
    default: return Effect::Unknown;
  }
}

}  // namespace

bool overwrites_flags_first(const cpu::Block& block, PassSet passes) {
  if (block.crosses_page() || segmented_code(block.mode)) return false;
  for (u32 i = 0; i < block.count; ++i) {
    const Insn& in = block.insns[i];
    if (vector_registers(in, passes) != HostRegisters::General || takes_x87(in, passes)) return false;
  }
  for (u32 i = 0; i < block.count; ++i) {
    switch (effect_of(block.insns[i])) {
      case Effect::Overwrites: return true;
      case Effect::Unknown: return false;
      case Effect::None: break;
    }
  }
  return false;
}

}  // namespace reprise::jit::x64
