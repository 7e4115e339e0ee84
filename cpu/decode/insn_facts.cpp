#include "cpu/decode/insn_facts.h"

namespace reprise::cpu {
namespace {

const Operands& operands_of(const Insn& in) { return insn_row(in.mnemonic).operands; }

bool on_vectors(const InsnRow& row) { return (row.checks & (kCheckSse | kCheckAvx)) != 0; }

bool alone(const Insn& in) {
  return form_kind(in, 0) != OperandKind::None && form_kind(in, 1) == OperandKind::None;
}

Access first_access(const Insn& in) {
  const Operands& operands = operands_of(in);
  if (operands.alone != Access::None && alone(in)) return operands.alone;
  if (operands.before_two != Access::None && form_kind(in, 2) != OperandKind::None)
    return operands.before_two;
  const bool keeps = operands.has(Operands::kKeeps) ||
                     (operands.has(Operands::kKeepsIfRegister) && form_kind(in, 1) == OperandKind::Reg);
  return keeps && form_kind(in, 0) == OperandKind::Reg ? Access::ReadWrite : operands.access[0];
}

bool has_implicit(const Insn& in) { return !operands_of(in).has(Operands::kImplicitIfAlone) || alone(in); }

}  // namespace

OperandKind operand_kind(const Insn& in, unsigned index) {
  if (index < 3) return form_kind(in, index);
  if (!in.has(Insn::kVex)) return OperandKind::None;
  switch (operands_of(in).access[3]) {
    case Access::None: return OperandKind::None;
    case Access::Immediate: return OperandKind::Imm;
    default: return OperandKind::Reg;
  }
}

Access operand_access(const Insn& in, unsigned index) {
  if (operand_kind(in, index) == OperandKind::None) return Access::None;
  return index == 0 ? first_access(in) : operands_of(in).access[index];
}

bool general_register(const Insn& in, unsigned index) {
  if (operand_kind(in, index) != OperandKind::Reg) return false;
  if (index < 2) return in.reg_class[index] == RegClass::Gpr;
  const InsnRow& row = insn_row(in.mnemonic);
  return !on_vectors(row) || row.operands.has(Operands::kGeneralThird);
}

u8 operand_bytes(const Insn& in, unsigned index) {
  if (index == 0) return in.size0;
  if (index == 1) return in.size1;
  const InsnRow& row = insn_row(in.mnemonic);
  if (!on_vectors(row)) return in.operand_bytes;
  if (row.operands.third_bytes != 0) return row.operands.third_bytes;
  if (row.operands.has(Operands::kGeneralThird)) return in.operand_bytes == 8 ? 8 : 4;
  return in.has(Insn::kVex256) ? 32 : 16;
}

unsigned required_alignment(const Insn& in, unsigned bytes) {
  const InsnRow& row = insn_row(in.mnemonic);
  if (!on_vectors(row)) return 1;
  if (in.has(Insn::kVex)) return row.operands.has(Operands::kAligned) ? bytes : 1;
  return bytes == 16 && !row.operands.has(Operands::kUnaligned) ? 16 : 1;
}

RegisterSet implicit_reads(const Insn& in) { return has_implicit(in) ? operands_of(in).reads : 0; }
RegisterSet implicit_writes(const Insn& in) { return has_implicit(in) ? operands_of(in).writes : 0; }

RegisterSet written_gprs(const Insn& in) {
  RegisterSet written = implicit_writes(in) & kRegisterGprs;
  for (unsigned i = 0; i < 2; ++i)
    if (form_kind(in, i) == OperandKind::Reg && in.reg_class[i] == RegClass::Gpr &&
        writes(operand_access(in, i)))
      written |= RegisterSet{1} << (in.reg[i] / 8);
  return written;
}

}  // namespace reprise::cpu
