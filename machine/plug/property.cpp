#include "machine/plug/property.h"

#include <algorithm>

#include "common/numbers.h"

namespace reprise::machine {
namespace {

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

/// Whether `word` is one of "a, b, c".
bool is_among(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const std::size_t comma = std::min(words.find(", "), words.size());
    if (words.substr(0, comma) == word) return true;
    words.remove_prefix(std::min(comma + 2, words.size()));
  }
  return false;
}

}  // namespace

bool is_value_of(const PropertySpec& property, std::string_view value) {
  switch (property.type) {
    case PropertyType::File: return !value.empty();
    case PropertyType::Text: return !value.empty() && value.size() <= property.max && is_printable(value);
    case PropertyType::Choice: return is_among(value, property.values);
    case PropertyType::Switch: return is_among(value, "yes, no, on, off");
    case PropertyType::Number: {
      const auto number = parse_number(value);
      return number && *number <= property.max;
    }
    case PropertyType::Target:
      return value == "stdio" || value == "null" || (value.starts_with("file:") && value.size() > 5);
  }
  return false;
}

}  // namespace reprise::machine
