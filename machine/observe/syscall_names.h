// Names of Linux's system calls.
#pragma once

#include <string_view>

#include "common/types.h"

namespace reprise::machine {

/// Of x86-64, by its number in RAX; empty: there is none that is known here.
std::string_view linux_syscall_name(u64 number);

}  // namespace reprise::machine
