// The passes that make a plan, one in each file. They read instructions and annotate the plan, which has an
// entry for each of them; they know nothing of the host, and each can be left out (--no-pass).
#pragma once

#include <span>

#include "jit/jit_options.h"
#include "jit/plan/plan.h"

namespace reprise::jit {

/// The plan for instructions that run one after the other, of 64-bit or 32-bit code; by the passes that
/// `passes` has.
Plan make_plan(std::span<const cpu::Insn> insns, PassSet passes);

/// Plan::groups, and which access is in which.
void find_probe_groups(std::span<const cpu::Insn> insns, Plan& plan);

/// PlannedInsn::flags_of.
void find_remade_flags(std::span<const cpu::Insn> insns, Plan& plan);

/// PlannedInsn::flags_dead.
void find_dead_flags(std::span<const cpu::Insn> insns, Plan& plan);
/// Whether that is so for the first of them.
bool flags_dead_at_entry(std::span<const cpu::Insn> insns);

}  // namespace reprise::jit
