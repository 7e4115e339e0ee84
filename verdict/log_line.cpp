#include "verdict/log_line.h"

#include <algorithm>

namespace reprise::verdict {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "[   12.345678]": blanks, digits, a point, digits.
bool is_time(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::size_t point = text.find('.');
  return point != text.npos && point != 0 && point + 1 != text.size() &&
         std::ranges::all_of(text, [](char c) { return is_digit(c) || c == '.'; }) &&
         std::ranges::count(text, '.') == 1;
}

/// "[    T123]", "[   C0]": who printed it.
bool is_caller(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text.size() > 1 && (text[0] == 'T' || text[0] == 'C') &&
         std::ranges::all_of(text.substr(1), is_digit);
}

/// `line` without "[WHAT]", if `is` says so of WHAT; else all of it.
std::string_view without_brackets(std::string_view line, bool (*is)(std::string_view)) {
  if (!line.starts_with('[')) return line;
  const std::size_t close = line.find(']');
  if (close == line.npos || !is(line.substr(1, close - 1))) return line;
  return line.substr(close + 1);
}

}  // namespace

std::string_view without_stamp(std::string_view line) {
  std::string_view text = line;
  if (text.size() > 2 && text[0] == '<' && is_digit(text[1])) {
    const std::size_t close = text.find('>');
    if (close != text.npos && close <= 4) text.remove_prefix(close + 1);
  }
  const std::string_view behind_time = without_brackets(text, is_time);
  if (behind_time.size() == text.size()) return text;
  const std::string_view behind_caller = without_brackets(behind_time, is_caller);
  // One blank belongs to the stamp; more are of the text.
  return behind_caller.starts_with(' ') ? behind_caller.substr(1) : behind_caller;
}

void LineSplitter::write(std::string_view bytes) {
  for (const char byte : bytes) {
    if (byte == '\n') {
      take_line();
      continue;
    }
    if (line_.size() == kMaxBytes) take_line();
    line_ += byte;
  }
}

void LineSplitter::end() {
  if (!line_.empty()) take_line();
}

void LineSplitter::take_line() {
  std::string_view line = line_;
  while (line.ends_with('\r')) line.remove_suffix(1);
  if (const std::size_t overwritten = line.rfind('\r'); overwritten != line.npos)
    line.remove_prefix(overwritten + 1);
  take_(line);
  line_.clear();
}

}  // namespace reprise::verdict
