// `reprise qemu`, and this program called by the name of QEMU's: its command line, its exit codes. docs/qemu.md.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "frontend/command_line.h"
#include "machine/run_result.h"

namespace reprise::frontend::qemu {

/// How this program is called where it stands in for QEMU, and what begins its sentences.
inline constexpr std::string_view kProgram = "qemu-system-x86_64";

/// Whether a program of that name is to take QEMU's command line: "/usr/bin/qemu-system-x86_64", "kvm".
bool is_called_as_qemu(std::string_view program);

/// `words` are the arguments behind the program's name or `reprise qemu`.
std::variant<RunOptions, EarlyExit> parse(const std::vector<std::string>& words);

}  // namespace reprise::frontend::qemu
