#include "jit/jit_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

namespace reprise::jit {
namespace {

constexpr std::string_view kDumpNames[] = {"guest", "plan", "host"};

/// A mask of the words of `text`, by their place in `names`; "all" is all of them.
Result<u32> parse_names(std::string_view text, std::string_view what,
                        std::span<const std::string_view> names) {
  u32 mask = 0;
  if (text.empty()) return Error{fmt::format("no {} was named: there are {}", what, fmt::join(names, ", "))};
  for (std::size_t at = 0; at <= text.size();) {
    const std::string_view name = text.substr(at, text.find(',', at) - at);
    at += name.size() + 1;
    if (name == "all") {
      mask |= (1u << names.size()) - 1;
      continue;
    }
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      return Error{fmt::format("{} '{}' is unknown: there are {}", what, name, fmt::join(names, ", "))};
    mask |= 1u << (found - names.begin());
  }
  return mask;
}

}  // namespace

Result<PassSet> parse_passes(std::string_view text) {
  const u32 mask = TRY(parse_names(text, "pass", kPassNames));
  PassSet set;
  for (unsigned i = 0; i < kPassNames.size(); ++i)
    if ((mask >> i) & 1) set.add(static_cast<Pass>(i));
  return set;
}

Result<u8> parse_dump(std::string_view text) {
  const u32 mask = TRY(parse_names(text, "dump", kDumpNames));
  return static_cast<u8>(mask);
}

}  // namespace reprise::jit
