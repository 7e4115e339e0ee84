// The name of a program from what Linux puts on its stack before it starts: the System V ABI's argument count, arguments,
// environment and auxiliary vector, whose AT_EXECFN points at the name (AMD64 psABI 3.4.1, i386 psABI 3.4.1).
#pragma once

#include <optional>
#include <string>

#include "cpu/core/cpu.h"

namespace reprise::machine::memory_report {

struct ProgramName {
  std::string name;   // as it was given to execve()
  std::string words;  // arguments with blanks between them, cut off
};

/// What lies at `stack` in the address space of `cpu`, if it is that. Changes nothing.
std::optional<ProgramName> program_on_stack(const cpu::Cpu& cpu, u64 stack);

}  // namespace reprise::machine::memory_report
