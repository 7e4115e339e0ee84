#include "frontend/options/want.h"

#include <fmt/format.h>

#include "common/words.h"
#include "frontend/options/values.h"

namespace reprise::frontend {

BadValue is_not(const Given& given, std::string_view wanted) {
  return {fmt::format("{} '{}' is not {}", given.name, given.value, wanted)};
}

u64 want_number(const Given& given) { return want(given, parse_number(given.value), "a whole number"); }

u32 want_count(const Given& given, u32 max) {
  const u64 value = want_number(given);
  if (value == 0 || value > max)
    throw BadValue{fmt::format("{} {} is not between 1 and {}", given.name, given.value, max)};
  return static_cast<u32>(value);
}

u64 want_position(const Given& given) {
  Given number = given;
  if (number.value.starts_with('@')) number.value.erase(0, 1);
  return want_number(number);
}

double want_seconds(const Given& given) {
  return want(given, parse_seconds(given.value), "a number of seconds above 0");
}

void refuse_empty_parts(const Given& given) {
  for (const std::string_view word : words_between(given.value, ","))
    if (word.empty()) throw BadValue{fmt::format("{} '{}' has a comma too many", given.name, given.value)};
}

std::vector<std::string> words_of_list(const Given& given) {
  refuse_empty_parts(given);
  const std::vector<std::string_view> words = words_between(given.value, ",");
  return {words.begin(), words.end()};
}

}  // namespace reprise::frontend
