// Which cases to run: what the oracle, the digest and the comparison of engines have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "cpu/decode/insn_table.h"
#include "cpu/decode/mnemonic.h"

namespace reprise::native {

struct CaseOptions {
  u64 cases;
  u64 sequences;
  u64 seed = 1;
  std::string row = {};  // empty: all

  void add_to(CLI::App& app) {
    app.add_option("--cases", cases, "cases per table row");
    app.add_option("--sequences", sequences, "sequences of several instructions, and other cases of no row");
    app.add_option("--seed", seed, "seed of everything random");
    app.add_option(
        "--row", row,
        "only this row (VADD*: all that begin so), or only SEQUENCE or another name of cases of no row");
  }
  bool wanted(std::string_view name) const {
    if (row.ends_with('*')) return name.starts_with(std::string_view(row).substr(0, row.size() - 1));
    return row.empty() || row == name;
  }
};

/// Calls `visit` with the mnemonic and the name of each row that is wanted, in the order of the table.
template <class Visit>
void for_each_row(const CaseOptions& options, Visit&& visit) {
  for (u16 i = 1; i < static_cast<u16>(cpu::Mnemonic::Count); ++i) {
    const auto mnemonic = static_cast<cpu::Mnemonic>(i);
    const std::string name(cpu::insn_row(mnemonic).name);
    if (options.wanted(name)) visit(mnemonic, name);
  }
}

}  // namespace reprise::native
