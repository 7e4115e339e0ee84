// The flag columns of the instruction table against what Zydis knows, for every row.
//
// A row's columns must equal the union over its encodings, apart from the differences listed here, each with its reason.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "cpu/decode/insn_table.h"
#include "tests/unit/zydis_forms.h"

namespace reprise::test {
namespace {

using cpu::InsnRow;
using cpu::Mnemonic;

constexpr u32 kColumnFlags = cpu::col::ALL | cpu::col::DF | cpu::col::IF | cpu::col::TF;

struct Columns {
  u32 tested = 0, written = 0, undefined = 0;
};

enum class Column : u8 { Tested, Written, Undefined };

struct Difference {
  std::vector<Mnemonic> rows;
  Column column;
  u32 flags;  // that Zydis adds to, or lacks from, the column
  std::string_view reason;
};

const Difference kDifferences[] = {
    {{Mnemonic::CMPSB, Mnemonic::CMPSW, Mnemonic::CMPSD_STRING, Mnemonic::CMPSQ},
     Column::Tested,
     cpu::col::ZF,
     "REPE and REPNE test the flag that the instruction itself has just written"},
    {{Mnemonic::SCASB, Mnemonic::SCASW, Mnemonic::SCASD, Mnemonic::SCASQ},
     Column::Tested,
     cpu::col::ZF,
     "as CMPS"},
    {{Mnemonic::SBB}, Column::Written, cpu::col::AF, "SDM 2B: AF is set according to the result"},
    {{Mnemonic::SBB}, Column::Undefined, cpu::col::AF, "as above"},
    {{Mnemonic::BEXTR},
     Column::Written,
     cpu::col::CF | cpu::col::OF,
     "SDM 2A: all flags but ZF, AF, SF and PF are cleared"},
    {{Mnemonic::BEXTR}, Column::Undefined, cpu::col::CF | cpu::col::OF, "as above"},
    {{Mnemonic::INT, Mnemonic::INT1, Mnemonic::INT3, Mnemonic::INTO},
     Column::Tested,
     kColumnFlags,
     "the frame shows every flag"},
    {{Mnemonic::INT1}, Column::Written, cpu::col::IF | cpu::col::TF, "cleared by delivery, as for INT3"},
    {{Mnemonic::VPTEST},
     Column::Written,
     cpu::col::OF | cpu::col::SF | cpu::col::AF | cpu::col::PF,
     "SDM 2B: cleared, as by PTEST"},
    {{Mnemonic::VTESTPS, Mnemonic::VTESTPD},
     Column::Written,
     cpu::col::OF | cpu::col::SF | cpu::col::AF | cpu::col::PF,
     "SDM 2C: cleared"},
    {{Mnemonic::SYSCALL}, Column::Tested, kColumnFlags, "R11 shows every flag"},
};

std::map<Mnemonic, Columns> columns_of_zydis() {
  std::map<Mnemonic, Columns> found;
  for_each_zydis_form([&](const ZydisForm& form) {
    Columns& columns = found[form.insn.mnemonic];
    const ZydisAccessedFlags* const flags = form.zydis.cpu_flags;
    if (flags == nullptr) return;
    columns.tested |= flags->tested & kColumnFlags;
    columns.written |= (flags->modified | flags->set_0 | flags->set_1) & kColumnFlags;
    columns.undefined |= flags->undefined & kColumnFlags;
  });
  return found;
}

u32 justified(Mnemonic row, Column column) {
  u32 flags = 0;
  for (const Difference& difference : kDifferences) {
    if (difference.column == column && std::ranges::count(difference.rows, row) != 0)
      flags |= difference.flags;
  }
  return flags;
}

TEST(TableFlags, EqualThoseOfZydis) {
  for (const auto& [mnemonic, zydis] : columns_of_zydis()) {
    const InsnRow& row = cpu::insn_row(mnemonic);
    const auto compare = [&row, of = mnemonic](const char* name, Column column, u32 ours, u32 theirs) {
      const u32 difference = (ours ^ theirs) & ~justified(of, column);
      EXPECT_EQ(difference, 0u) << row.name << ' ' << name << ": table " << std::hex << ours << ", Zydis "
                                << theirs;
    };
    compare("tested", Column::Tested, row.tested, zydis.tested);
    compare("written", Column::Written, row.written, zydis.written);
    compare("undefined", Column::Undefined, row.undefined, zydis.undefined);
  }
}

TEST(TableFlags, EveryRowIsReached) {
  const std::map<Mnemonic, Columns> found = columns_of_zydis();
  for (unsigned i = 1; i < static_cast<unsigned>(Mnemonic::Count); ++i) {
    const auto mnemonic = static_cast<Mnemonic>(i);
    EXPECT_TRUE(found.contains(mnemonic)) << cpu::insn_row(mnemonic).name;
  }
}

}  // namespace
}  // namespace reprise::test
