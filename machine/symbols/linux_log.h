// The log of a Linux guest's kernel, from its ring buffer in the guest's memory (kernel/printk/printk_ringbuffer.h, since Linux 5.10):
// what it has said, whether or not a console showed it.
//
// Thread: the one that runs the machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "machine/symbols/linux_types.h"

namespace reprise::machine::symbols {

/// Lines as a console shows them, "[    1.234567] text", oldest first. Nothing: where it lies is not known, or it is an older kernel's. Changes
/// nothing.
std::optional<std::vector<std::string>> read_linux_log(const KernelSymbols& symbols, const cpu::Cpu& cpu);

}  // namespace reprise::machine::symbols
