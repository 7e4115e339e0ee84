#include "verdict/shell_words.h"

#include <algorithm>

namespace reprise::verdict {
namespace {

constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string shell_word(std::string_view word) {
  constexpr std::string_view kPlain = "-+./:,=@%";
  const bool plain = !word.empty() && std::ranges::all_of(word, [&](char c) {
    return is_letter(c) || is_digit(c) || kPlain.find(c) != kPlain.npos;
  });
  if (plain) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + '\'';
}

std::string shell_words(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    text += shell_word(word);
  }
  return text;
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && is_letter(name[0]) &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); });
}

}  // namespace reprise::verdict
