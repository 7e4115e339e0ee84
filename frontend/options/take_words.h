// Words of a command line to options and their values, by the rows of a command.
#pragma once

#include <fmt/format.h>

#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "frontend/options/option.h"

namespace reprise::frontend {

/// One word or pair of words, and the row it belongs to.
struct TakenOption {
  std::size_t row;
  std::string value;
};

/// What to write instead of a word that is no option; empty when that is not known.
using Instead = std::string (*)(std::string_view word);

/// Arguments first, then options without a value, then those with one in the order of `words`; of one that counts once,
/// only the last. `instead` is asked about
/// unknown words. An error is a sentence without a full stop.
Result<std::vector<TakenOption>> take_words(std::span<const OptionText> rows,
                                            const std::vector<std::string>& words, Instead instead = nullptr);

/// take_words and the rows' setters. Returns the names that were given. Throws BadValue for what is wrong with
/// `words`.
template <class Target>
std::set<std::string_view> apply_words(std::span<const OptionGroup<Target>> groups,
                                       const std::vector<std::string>& words, Target& target,
                                       Instead instead = nullptr) {
  std::vector<OptionText> texts;
  std::vector<const Option<Target>*> rows;
  for (const OptionGroup<Target>& group : groups) {
    for (const Option<Target>& row : group.rows) {
      texts.push_back(row.text());
      rows.push_back(&row);
    }
  }
  auto taken = take_words(texts, words, instead);
  if (!taken) throw BadValue{taken.error().message};
  std::set<std::string_view> given;
  for (TakenOption& option : taken.value()) {
    const Option<Target>& row = *rows[option.row];
    if (option.value.empty() && row.empty == Empty::Refused) {
      if (row.text().is_argument()) throw BadValue{fmt::format("{} was given as an empty word", row.name)};
      if (!row.value.empty())
        throw BadValue{fmt::format("{} was given an empty value: give {} {}, or leave it out", row.name,
                                   row.name, row.value)};
    }
    row.set(target, {row.name, std::move(option.value)});
    given.insert(row.name);
  }
  return given;
}

}  // namespace reprise::frontend
