// Instants as people write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "machine/outside/position.h"

namespace reprise::machine {

/// "@41203118554", "@41203118554.3", both also without the '@'. Nothing: it is none.
std::optional<Position> parse_instant(std::string_view text);

}  // namespace reprise::machine
