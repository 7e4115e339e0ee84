#include "jit/vector_facts.h"

#include <algorithm>
#include <array>
#include <string>

#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"

namespace reprise::jit {
namespace {

using cpu::Insn;
using cpu::Mnemonic;
using cpu::OperandKind;
using cpu::RegClass;

constexpr auto kRows = static_cast<std::size_t>(Mnemonic::Count);

bool begins(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }
bool ends(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}
bool one_of(std::string_view text, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}
bool begins_with_one_of(std::string_view text, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view each) { return begins(text, each); });
}

/// Of the name without V. Bytes of the third operand in memory when it is no vector of the instruction's length.
u8 third_bytes(std::string_view name) {
  if (name == "PINSRB") return 1;
  if (name == "PINSRW") return 2;
  if (one_of(name, {"PINSRD", "INSERTPS", "CVTSS2SD"})) return 4;
  if (one_of(name, {"PINSRQ", "CVTSD2SS", "MOVLPS", "MOVLPD", "MOVHPS", "MOVHPD"})) return 8;
  if (begins_with_one_of(name, {"PSLLV", "PSRLV", "PSRAV"})) return 0;
  if (begins_with_one_of(name, {"INSERT", "PSLL", "PSRL", "PSRA"})) return 16;
  if (begins_with_one_of(name, {"P", "CVTSI2S"})) return 0;
  return ends(name, "SS") ? 4 : ends(name, "SD") ? 8 : 0;
}

VectorFacts make_facts(Mnemonic mnemonic) {
  const cpu::InsnRow& row = cpu::insn_row(mnemonic);
  const bool vex = (row.checks & cpu::kCheckAvx) != 0;
  if (row.jit != cpu::Jit::Reencode || (row.checks & (cpu::kCheckSse | cpu::kCheckAvx)) == 0) return {};
  const std::string_view name = row.name.substr(vex ? 1 : 0);
  VectorFacts facts;
  facts.vector = true;
  facts.vex = vex;
  facts.makes_flags = row.written != 0;
  facts.writes_rcx = one_of(name, {"PCMPESTRI", "PCMPISTRI"});
  facts.explicit_length = begins(name, "PCMPESTR");
  facts.any_alignment = one_of(name, {"MOVUPS", "MOVUPD", "MOVDQU", "LDDQU"}) ||
                        begins_with_one_of(name, {"PCMPESTR", "PCMPISTR"});
  facts.vex_aligned = one_of(name, {"MOVAPS", "MOVAPD", "MOVDQA"}) || begins(name, "MOVNT");
  facts.third_is_gpr = begins_with_one_of(name, {"PINSR", "CVTSI2S"});
  facts.third_bytes = third_bytes(name);
  facts.third_is_xmm = facts.third_bytes != 0;
  facts.register_last = one_of(name, {"BLENDVPS", "BLENDVPD", "PBLENDVB"});
  facts.immediate_last = !facts.register_last &&
                         begins_with_one_of(name, {"SHUFP", "PALIGNR", "BLEND", "PBLEND", "MPSADBW", "INSERT",
                                                   "PERM2", "CMP", "ROUNDS", "DPP", "PCLMULQDQ", "PINSR"});
  return facts;
}

std::array<VectorFacts, kRows> make_table() {
  std::array<VectorFacts, kRows> table;
  for (std::size_t i = 1; i < kRows; ++i) table[i] = make_facts(static_cast<Mnemonic>(i));
  return table;
}

}  // namespace

const VectorFacts& vector_facts(Mnemonic mnemonic) {
  static const std::array<VectorFacts, kRows> table = make_table();
  return table[static_cast<std::size_t>(mnemonic)];
}

OperandKind operand_kind(const Insn& in, unsigned index) {
  if (index == 2) return static_cast<OperandKind>(in.kind2);
  return static_cast<OperandKind>((static_cast<unsigned>(in.form) >> (2 * index)) & 3);
}

u8 vector_operand_bytes(const Insn& in, unsigned index) {
  if (index == 0) return in.size0;
  if (index == 1) return in.size1;
  const VectorFacts& facts = vector_facts(in.mnemonic);
  if (facts.third_bytes != 0) return facts.third_bytes;
  if (facts.third_is_gpr) return in.operand_bytes == 8 ? 8 : 4;
  return in.has(Insn::kVex256) ? 32 : 16;
}

bool on_vector_registers(const Insn& in) {
  if (!vector_facts(in.mnemonic).vector) return false;
  for (unsigned i = 0; i < 2; ++i) {
    if (operand_kind(in, i) != OperandKind::Reg) continue;
    if (in.reg_class[i] != RegClass::Vector && in.reg_class[i] != RegClass::Gpr) return false;
  }
  return true;
}

}  // namespace reprise::jit
