// Where the manuals leave a result open Reprise does as Intel's processors (docs/undefined.md). What those of AMD do
// otherwise, seen on an EPYC of family 25, model 17: only that is let through when the host is one.
#pragma once

#include "cpu/core/insn.h"
#include "tests/native/case.h"

namespace reprise::native {

enum class Vendor : u8 { Intel, Amd };

/// What the row may differ in on a host of AMD.
u32 amd_tolerance(cpu::Mnemonic mnemonic);
/// Whether a case may go on behind such an instruction: nothing that it may differ in lasts.
bool amd_in_sequences(cpu::Mnemonic mnemonic);

}  // namespace reprise::native
