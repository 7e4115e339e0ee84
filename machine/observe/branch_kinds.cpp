#include "machine/observe/branch_kinds.h"

#include <algorithm>
#include <array>

#include "cpu/decode/mnemonic.h"

namespace reprise::machine {
namespace {

using cpu::Mnemonic;

struct BranchRow {
  Mnemonic mnemonic;
  std::string_view name;
  std::string_view indirect = {};  // name where a register or memory has the target; empty: the same
  bool conditional = false;
};

constexpr BranchRow conditional(Mnemonic mnemonic) { return {mnemonic, "conditional", {}, true}; }

constexpr BranchRow kRows[] = {
    {Mnemonic::JMP, "jump", "indirect jump"},
    {Mnemonic::CALL, "call", "indirect call"},
    {Mnemonic::RET, "return"},
    conditional(Mnemonic::JO),
    conditional(Mnemonic::JNO),
    conditional(Mnemonic::JB),
    conditional(Mnemonic::JNB),
    conditional(Mnemonic::JZ),
    conditional(Mnemonic::JNZ),
    conditional(Mnemonic::JBE),
    conditional(Mnemonic::JNBE),
    conditional(Mnemonic::JS),
    conditional(Mnemonic::JNS),
    conditional(Mnemonic::JP),
    conditional(Mnemonic::JNP),
    conditional(Mnemonic::JL),
    conditional(Mnemonic::JNL),
    conditional(Mnemonic::JLE),
    conditional(Mnemonic::JNLE),
    conditional(Mnemonic::JCXZ),
    conditional(Mnemonic::JECXZ),
    conditional(Mnemonic::JRCXZ),
    conditional(Mnemonic::LOOP),
    conditional(Mnemonic::LOOPE),
    conditional(Mnemonic::LOOPNE),
    {Mnemonic::JMP_FAR, "far jump"},
    {Mnemonic::CALL_FAR, "far call"},
    {Mnemonic::RET_FAR, "far return"},
    {Mnemonic::INT, "interrupt"},
    {Mnemonic::INT1, "interrupt"},
    {Mnemonic::INT3, "interrupt"},
    {Mnemonic::INTO, "interrupt", {}, true},
    {Mnemonic::IRET, "iret"},
    {Mnemonic::IRETD, "iret"},
    {Mnemonic::IRETQ, "iret"},
    {Mnemonic::SYSCALL, "syscall"},
    {Mnemonic::SYSRET, "sysret"},
    {Mnemonic::SYSENTER, "sysenter"},
    {Mnemonic::SYSEXIT, "sysexit"},
};

/// By mnemonic, which every instruction of a trace asks for.
constexpr auto kByMnemonic = [] {
  std::array<const BranchRow*, static_cast<std::size_t>(Mnemonic::Count)> rows{};
  for (const BranchRow& row : kRows) rows[static_cast<std::size_t>(row.mnemonic)] = &row;
  return rows;
}();

}  // namespace

BranchKind branch_kind(const cpu::Insn& insn) {
  const BranchRow* const row = kByMnemonic[static_cast<std::size_t>(insn.mnemonic)];
  if (row == nullptr) return {};
  const bool indirect = insn.form != cpu::Form::I && !row->indirect.empty();
  return {indirect ? row->indirect : row->name, row->conditional};
}

}  // namespace reprise::machine
