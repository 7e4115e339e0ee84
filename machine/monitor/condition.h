// Conditions over memory and registers, as a person types them.
#pragma once

#include <string_view>

#include "machine/past/conditions.h"

namespace reprise::machine::monitor {

/// "u32[0xffffffff82a079c0] & 0xff == 3 || rax > $rbx + 1": sides as expression.h has them, compared without signs by == != < <= >
/// >=, put together by && and, weaker, ||. u8[], u16[], u32[] and u64[] are memory at a linear address, p8[] to p64[] at a
/// physical one; what the kernel's symbols name is its address as it is now. Registers are those of processor `processor`. A linear address without registers means the memory that it is
/// mapped to now. `machine` outlives the result. The error is a sentence.
Result<Condition> parse_condition(Machine& machine, unsigned processor, std::string_view text);

}  // namespace reprise::machine::monitor
