// Instructions that may go on elsewhere, by what kind of jump they are.
#pragma once

#include <string_view>

#include "cpu/core/insn.h"

namespace reprise::machine {

struct BranchKind {
  std::string_view name;  // "call", "indirect jump"; empty: it is no branch
  bool conditional = false;
};

BranchKind branch_kind(const cpu::Insn& insn);

}  // namespace reprise::machine
