#include "frontend/test/place_text.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>

namespace reprise::frontend {
namespace {

/// "name+0x1c", "name+0x1c/0x30", both also with " [module]" behind it.
struct Named {
  std::string_view symbol;
  u64 offset = 0;
  std::string_view module;
};

bool is_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == '$';
}

std::optional<Named> named_in(std::string_view text) {
  constexpr std::string_view kPlus = "+0x";
  for (std::size_t plus = text.find(kPlus); plus != text.npos; plus = text.find(kPlus, plus + 1)) {
    std::size_t begin = plus;
    while (begin > 0 && is_name(text[begin - 1])) --begin;
    const std::string_view digits = text.substr(plus + kPlus.size());
    Named named{.symbol = text.substr(begin, plus - begin), .offset = 0, .module = {}};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), named.offset, 16);
    if (error != std::errc{} || named.symbol.empty()) continue;
    std::string_view rest = digits.substr(static_cast<std::size_t>(end - digits.data()));
    if (rest.starts_with("/0x"))
      rest.remove_prefix(std::min(rest.find_first_not_of("0123456789abcdef", 3), rest.size()));
    if (rest.starts_with(" ["))
      named.module = rest.substr(2, rest.find(']') == rest.npos ? 0 : rest.find(']') - 2);
    // Such as "[dice E 6.1.0]" has more behind the name.
    named.module = named.module.substr(0, named.module.find(' '));
    return named;
  }
  return std::nullopt;
}

std::string module_folder(const std::string& module_symbols, const std::string& root) {
  std::error_code error;
  if (!module_symbols.empty()) return module_symbols;
  return std::filesystem::is_directory(root, error) ? root : std::string();
}

}  // namespace

PlaceText::PlaceText(const std::string& symbols, const std::string& module_symbols, const std::string& root)
    : source_(symbols, module_folder(module_symbols, root)) {}

std::string PlaceText::text(std::string_view place) {
  const std::size_t space = place.find(' ');
  if (space == place.npos) return std::string(place);
  return with_source(place.substr(space + 1));
}

std::string PlaceText::with_source(std::string_view line) {
  const std::optional<Named> named = named_in(line);
  const std::string source = named ? source_.line_of(named->symbol, named->offset, named->module) : "";
  return source.empty() ? std::string(line) : fmt::format("{} ({})", line, source);
}

}  // namespace reprise::frontend
