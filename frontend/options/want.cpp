#include "frontend/options/want.h"

#include <fmt/format.h>

#include "common/words.h"
#include "frontend/options/values.h"
#include "machine/history/instant_text.h"

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

machine::Position want_instant(const Given& given) {
  return want(given, machine::parse_instant(given.value),
              "a position such as @41203118554 or @41203118554.3");
}

void want_stop(const Given& given, machine::RunLimits& limits) {
  const machine::Position position = want_instant(given);
  limits.stop_at_retired = position.retired;
  limits.stop_at_step.reset();
  if (given.value.find('.') != given.value.npos) limits.stop_at_step = position.step;
}

double want_seconds(const Given& given) {
  return want(given, parse_seconds(given.value), "a number of seconds above 0");
}

bool want_on(const Given& given) {
  if (given.value != "on" && given.value != "off")
    throw BadValue{fmt::format("{} '{}' is none of on, off", given.name, given.value)};
  return given.value == "on";
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
