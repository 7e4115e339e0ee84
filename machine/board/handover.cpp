#include "machine/board/handover.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "common/numbers.h"
#include "cpu/profile/topology.h"

namespace reprise::machine {
namespace {

std::optional<Handover> parse_handover(std::string_view text) {
  const std::size_t first = text.find('/');
  const std::size_t second = text.rfind('/');
  if (first == text.npos || second == first) return std::nullopt;
  const auto from = parse_number(text.substr(0, first));
  const auto after = parse_number(text.substr(first + 1, second - first - 1));
  const auto to = parse_number(text.substr(second + 1));
  if (!from || !after || !to || *from >= cpu::kMaxProcessors || *to >= cpu::kMaxProcessors)
    return std::nullopt;
  return Handover{static_cast<u8>(*from), *after, static_cast<u8>(*to)};
}

}  // namespace

std::string handover_text(const Handover& handover) {
  return fmt::format("{}/{}/{}", handover.from, handover.after, handover.to);
}

std::string handovers_text(const std::vector<Handover>& handovers) {
  std::string text;
  for (const Handover& handover : handovers) text += (text.empty() ? "" : ",") + handover_text(handover);
  return text;
}

Result<std::vector<Handover>> parse_handovers(std::string_view text) {
  std::vector<Handover> handovers;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::string_view words = line.substr(0, line.find_first_of(" \t\r#"));
    while (!words.empty()) {
      const std::string_view word = words.substr(0, words.find(','));
      words.remove_prefix(std::min(word.size() + 1, words.size()));
      const std::optional<Handover> handover = parse_handover(word);
      if (!handover)
        return Error{
            fmt::format("'{}' is not as 0/5228/1: a processor, so many of its instructions, and who is next",
                        word.substr(0, 60))};
      handovers.push_back(*handover);
    }
  }
  std::ranges::stable_sort(handovers, [](const Handover& a, const Handover& b) {
    return a.from != b.from ? a.from < b.from : a.after < b.after;
  });
  return handovers;
}

}  // namespace reprise::machine
