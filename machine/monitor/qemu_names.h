// Commands of QEMU's monitor under their names there.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/monitor/command.h"

namespace reprise::machine::monitor {

struct QemuName {
  std::string_view qemu;
  std::string_view ours;
};
/// One command for another.
std::span<const QemuName> qemu_names();
/// What does the same as a command of QEMU's that is none here: a phrase; empty: nothing is known.
std::string_view instead_of_qemu_command(std::string_view name);

/// The words of a line in our language: "system_reset" is "reset", "x/2i $pc" is "disassemble $pc 2", "eject -f
/// cdrom0" is "eject cdrom0 force". What is no
/// command of QEMU's stays as it is. Error: a format of x that is not there.
Result<std::vector<std::string>, CommandError> in_our_words(std::span<const std::string_view> words);

}  // namespace reprise::machine::monitor
