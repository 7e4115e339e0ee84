#include "jit/x87_facts.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"

namespace reprise::jit {
namespace {

using cpu::Mnemonic;

constexpr auto kRows = static_cast<std::size_t>(Mnemonic::Count);

/// Rows that have bodies but for this.
struct Extra {
  Mnemonic mnemonic;
  bool control;
};
constexpr Extra kExtra[] = {
    {Mnemonic::FLDCW, true},    {Mnemonic::FNSTCW, true},   {Mnemonic::FNSTSW, true},
    {Mnemonic::FNCLEX, true},   {Mnemonic::FWAIT, true},    {Mnemonic::FFREE, false},
    {Mnemonic::FINCSTP, false}, {Mnemonic::FDECSTP, false}, {Mnemonic::FNOP, false},
};

bool one_of(std::string_view text, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), text) != names.end();
}
bool begins_with_one_of(std::string_view text, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view each) { return text.substr(0, each.size()) == each; });
}

X87Facts make_facts(Mnemonic mnemonic) {
  const cpu::InsnRow& row = cpu::insn_row(mnemonic);
  const auto* const extra = std::find_if(std::begin(kExtra), std::end(kExtra),
                                         [&](const Extra& each) { return each.mnemonic == mnemonic; });
  const bool reencoded = row.jit == cpu::Jit::Reencode && (row.checks & cpu::kCheckX87) != 0;
  if (!reencoded && extra == std::end(kExtra)) return {};
  X87Facts facts;
  facts.x87 = true;
  facts.two_registers = one_of(row.name, {"FADD", "FSUB", "FSUBR", "FMUL", "FDIV", "FDIVR"});
  facts.second_register = begins_with_one_of(row.name, {"FCOM", "FUCOM", "FCMOV"});
  facts.stores = begins_with_one_of(row.name, {"FST", "FIST", "FBST", "FNST"});
  facts.reads_flags = row.tested != 0;
  facts.makes_flags = row.written != 0;
  facts.control = extra != std::end(kExtra) && extra->control;
  return facts;
}

std::array<X87Facts, kRows> make_table() {
  std::array<X87Facts, kRows> table;
  for (std::size_t i = 1; i < kRows; ++i) table[i] = make_facts(static_cast<Mnemonic>(i));
  return table;
}

}  // namespace

const X87Facts& x87_facts(Mnemonic mnemonic) {
  static const std::array<X87Facts, kRows> table = make_table();
  return table[static_cast<std::size_t>(mnemonic)];
}

}  // namespace reprise::jit
