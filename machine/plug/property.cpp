#include "machine/plug/property.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"

namespace reprise::machine {
namespace {

/// Whether `word` is one of "a, b, c".
bool is_among(std::string_view word, std::string_view words) {
  while (!words.empty()) {
    const std::size_t comma = std::min(words.find(", "), words.size());
    if (words.substr(0, comma) == word) return true;
    words.remove_prefix(std::min(comma + 2, words.size()));
  }
  return false;
}

/// "file:PATH" and the like, of which whoever opens it knows more.
/// stdio, unix:PATH and the like; a file of what is said may stand behind it.
bool is_target(std::string_view value) {
  value = value.substr(0, std::min(value.find(",log="), value.find(",log-append=")));
  if (is_among(value, "stdio, null, pty")) return true;
  for (const std::string_view kind : {"file:", "unix:", "tcp:", "pipe:"})
    if (value.starts_with(kind)) return value.size() > kind.size();
  return false;
}

}  // namespace

bool is_plain_name(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  return !text.empty() && text.find_first_not_of(kAllowed) == text.npos;
}

std::optional<std::array<u8, 6>> parse_mac(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr u8 kGroup = 1;
  std::array<u8, 6> mac{};
  if (text.size() != 3 * mac.size() - 1) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2) {
      if (text[i] != ':') return std::nullopt;
      continue;
    }
    const char c = text[i] >= 'A' && text[i] <= 'F' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
    const std::size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) return std::nullopt;
    mac[i / 3] = static_cast<u8>(mac[i / 3] << 4 | digit);
  }
  if (mac[0] & kGroup || mac == decltype(mac){}) return std::nullopt;
  return mac;
}

bool is_value_of(const PropertySpec& property, std::string_view value) {
  switch (property.type) {
    case PropertyType::File: return !value.empty();
    case PropertyType::FileOrNone: return true;
    case PropertyType::Serial: return value.size() <= property.max && is_plain_name(value);
    case PropertyType::Choice: return is_among(value, property.values);
    case PropertyType::Switch: return is_among(value, "yes, no, on, off");
    case PropertyType::Number: {
      const auto number = parse_number(value);
      return number && *number <= property.max;
    }
    case PropertyType::Target: return is_target(value);
    case PropertyType::Mac: return parse_mac(value).has_value();
  }
  return false;
}

std::string why_not(const PropertySpec& property, std::string_view value) {
  const std::string given = fmt::format("{}={}", property.name, value);
  switch (property.type) {
    case PropertyType::File: return fmt::format("{} names no file", given);
    case PropertyType::Serial:
      if (value.size() > property.max)
        return fmt::format("{} has {} characters, and there is room for {}", given, value.size(),
                           property.max);
      return value.empty() ? fmt::format("{} is empty: leave it out, or give {}", given, property.values)
                           : fmt::format("{} is not made of letters, digits, '-', '.' and '_'", given);
    case PropertyType::Number: return fmt::format("{} is not {}", given, property.values);
    case PropertyType::Mac:
      return fmt::format("{} is no address of a station, such as 52:54:00:12:34:56", given);
    case PropertyType::Choice:
    case PropertyType::Switch:
    case PropertyType::FileOrNone:
    case PropertyType::Target: break;
  }
  return fmt::format("{} is none of {}", given, property.values);
}

}  // namespace reprise::machine
