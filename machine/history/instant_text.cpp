#include "machine/history/instant_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"

namespace reprise::machine {

std::optional<Position> parse_instant(std::string_view text) {
  if (text.starts_with('@')) text.remove_prefix(1);
  const std::size_t dot = text.find('.');
  const std::optional<u64> retired = parse_number(text.substr(0, dot));
  const std::optional<u64> step = dot == text.npos ? 0 : parse_number(text.substr(dot + 1));
  if (!retired || !step) return std::nullopt;
  return Position{.retired = *retired, .virtual_ns = 0, .step = *step};
}

std::string stretch_text(const Timeline::Stretch& stretch, u64 retired) {
  const u64 from = stretch.from_retired;
  const u64 length = stretch.to_retired > from ? stretch.to_retired - from : 1;
  const u64 done = retired > from ? std::min(retired - from, length) : 0;
  return fmt::format("{} from @{} to @{}, {} %", stretch.search ? "searching" : "on the way", from,
                     stretch.to_retired, static_cast<u64>(u128{done} * 100 / length));
}

}  // namespace reprise::machine
