// Instants, and the way to them, as people write and read them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "machine/history/timeline.h"

namespace reprise::machine {

/// "@41203118554", "@41203118554.3", both also without the '@'. Nothing: it is none.
std::optional<Position> parse_instant(std::string_view text);

/// "on the way from @100 to @300, 45 %", "searching from @100 to @300, 45 %", for one that has come to `retired`.
std::string stretch_text(const Timeline::Stretch& stretch, u64 retired);

}  // namespace reprise::machine
