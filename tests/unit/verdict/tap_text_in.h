// Results from lines, as text: "pass one; fail two: not ok; [suite pass: pass a; pass b]".
#pragma once

#include <string>
#include <string_view>

#include "common/words.h"
#include "verdict/tap_parser.h"

namespace reprise::verdict {

// NOLINTNEXTLINE(misc-no-recursion)
inline std::string in_short(const std::vector<TestResult>& results) {
  std::string text;
  for (const TestResult& result : results) {
    if (!text.empty()) text += "; ";
    text += std::string(outcome_name(result.outcome)) + ' ' + (result.name.empty() ? "?" : result.name);
    if (!result.children.empty()) text += " [" + in_short(result.children) + "]";
  }
  return text;
}

inline TapParser parsed(std::string_view text, std::string_view why = "it was cut off") {
  TapParser parser;
  for (const std::string_view line : words_between(text, "\n")) parser.take(line, "@1");
  parser.end(why);
  return parser;
}

}  // namespace reprise::verdict
