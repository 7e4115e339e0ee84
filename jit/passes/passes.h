// The passes that make a plan, one in each file. They read instructions and annotate the plan, which has an
// entry for each of them; they know nothing of the host, and each can be left out (--no-pass).
#pragma once

#include "cpu/blocks/block_pool.h"
#include "jit/plan.h"

namespace reprise::jit {

/// Plan::groups, and which access is in which.
void find_probe_groups(std::span<const cpu::Insn> insns, Plan& plan);

/// PlannedInsn::flags_dead.
void find_dead_flags(std::span<const cpu::Insn> insns, Plan& plan);
/// Whether that is so for the first instruction of `block`, and code for the block certainly gets that far:
/// it has no checks at its head that may leave it.
bool flags_dead_at_entry(const cpu::Block& block, PassSet passes);

}  // namespace reprise::jit
