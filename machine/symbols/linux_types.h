// How a Linux guest's kernel lays out its own structures: its BTF, from the file of symbols, or else from the guest's memory.
//
// Thread: the one that runs the machine.
#pragma once

#include <optional>

#include "machine/symbols/btf_types.h"
#include "machine/symbols/kernel_symbols.h"
#include "machine/symbols/linear_reader.h"

namespace reprise::machine::symbols {

constexpr bool is_kernel_address(u64 linear) { return linear >> 63 != 0; }

/// Reads what the kernel sees, wherever `cpu` is: `linear` is an address of the kernel's own data.
LinearReader kernel_reader(const cpu::Cpu& cpu, u64 linear);

/// Nothing: they are not to be had. Changes nothing; some megabytes are read.
std::optional<BtfTypes> linux_types(const KernelSymbols& symbols, const cpu::Cpu& cpu);

}  // namespace reprise::machine::symbols
