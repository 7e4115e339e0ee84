// Expressions that a person types: numbers, names of registers, and sums of them.
#pragma once

#include <string_view>

#include "common/result.h"
#include "machine/symbols/kernel_symbols.h"

namespace reprise::machine::monitor {

/// The value of "$rip + 4 * 8": + - * / % & | ^ ~ and parentheses, as in C, over 64 bits. Registers go with or without a $;
/// rip and rsp have their segment's base added. What is neither is a name of `symbols`, if there are any. An error says what is wrong with it, without the text itself and without a
/// full stop: "there is a division by 0".
Result<u64> evaluate(const cpu::CpuState& state, std::string_view text,
                     const symbols::KernelSymbols* symbols = nullptr);

}  // namespace reprise::machine::monitor
