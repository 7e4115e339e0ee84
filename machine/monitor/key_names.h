// Keys by their names in QEMU's `sendkey`, as the scan codes of a PS/2 keyboard (set 2).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise::machine::monitor {

/// What a keyboard sends for "ctrl-alt-f1": each key goes down in that order, and up in the other. nullopt: one of them is
/// no key.
std::optional<std::vector<u8>> scan_codes_of(std::string_view keys);

}  // namespace reprise::machine::monitor
