// Numbers as people write them.
#pragma once

#include <optional>
#include <string_view>

#include "common/types.h"

namespace reprise {

/// Decimal, or hexadecimal with 0x; nullopt when malformed or beyond 64 bits.
std::optional<u64> parse_number(std::string_view text);

}  // namespace reprise
