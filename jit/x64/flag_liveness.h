// Whether a block makes all status flags anew before anyone can look at those it was entered with.
#pragma once

#include "cpu/blocks/block_cache.h"
#include "jit/jit_options.h"

namespace reprise::jit::x64 {

/// True when the block begins with instructions that touch registers only and need no handler, the last of which
/// writes all status flags and none of which reads them, and no instruction of it needs vector or x87 registers,
/// which might be refused at its head.
bool overwrites_flags_first(const cpu::Block& block, PassSet passes);

}  // namespace reprise::jit::x64
