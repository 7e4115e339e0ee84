// Expressions that a person types: numbers, names of registers, and sums of them.
#pragma once

#include <optional>
#include <string_view>

#include "cpu/state/state.h"

namespace reprise::machine::monitor {

/// The value of "$rip + 4 * 8": + - * / % & | ^ ~ and parentheses, as in C, over 64 bits. Registers go with or without a $;
/// rip and rsp have their segment's base added. nullopt: it is none, or divides by zero.
std::optional<u64> evaluate(const cpu::CpuState& state, std::string_view text);

}  // namespace reprise::machine::monitor
