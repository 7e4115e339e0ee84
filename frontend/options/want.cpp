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

double want_seconds(const Given& given) {
  return want(given, parse_seconds(given.value), "a number of seconds above 0");
}

std::vector<std::string> words_of_list(std::string_view text) {
  const std::vector<std::string_view> words = words_between(text, ",");
  return {words.begin(), words.end()};
}

}  // namespace reprise::frontend
