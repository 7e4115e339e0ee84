// Events of a trace as text.
#pragma once

#include <string>

#include "cpu/state/exceptions.h"

namespace reprise::machine {

/// "exception 14 #PF error 0x6", "external 0xec", "nmi 2", "software 0x80", "smi".
std::string delivery_text(const cpu::Fault& event);
/// "user write not-present".
std::string page_fault_text(u32 error_code);
/// What a system call of Linux returned: "0x340", "-2 ENOENT".
std::string syscall_result_text(u64 value);

}  // namespace reprise::machine
