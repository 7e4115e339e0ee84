#include "machine/history/instant_text.h"

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

}  // namespace reprise::machine
