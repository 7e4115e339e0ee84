// Values of options in setters: what is wanted, or BadValue with a sentence about what is not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "frontend/options/option.h"
#include "machine/board/config.h"
#include "machine/outside/position.h"

namespace reprise::frontend {

/// "--memory 'lots' is not a size such as 512M or 2G".
BadValue is_not(const Given& given, std::string_view wanted);

/// `value`, which was read from `given`; nullopt is refused.
template <class T>
T want(const Given& given, std::optional<T> value, std::string_view wanted) {
  if (!value) throw is_not(given, wanted);
  return *std::move(value);
}

u64 want_number(const Given& given);
/// A position as messages name it, also without the @: @41203118554, @41203118554.3.
machine::Position want_instant(const Given& given);
/// The run ends at such a position: behind all that is due there, or with the .3, exactly there.
void want_stop(const Given& given, machine::RunLimits& limits);
/// From 1 to `max`.
u32 want_count(const Given& given, u32 max);
double want_seconds(const Given& given);
/// "on" or "off".
bool want_on(const Given& given);

/// `result`, or its error as what is wrong with the option.
template <class T>
T want(const Given& given, Result<T> result) {
  if (!result) throw BadValue{std::string(given.name) + ": " + result.error().message};
  return result.take();
}

/// `result`, whose error says all.
template <class T>
T want(Result<T> result) {
  if (!result) throw BadValue{result.error().message};
  return result.take();
}

/// A list with nothing before, behind or between its commas.
void refuse_empty_parts(const Given& given);
/// The words between the commas; none for an empty value. Empty words are refused.
std::vector<std::string> words_of_list(const Given& given);

}  // namespace reprise::frontend
