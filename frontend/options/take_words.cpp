#include "frontend/options/take_words.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "common/nearest.h"

namespace reprise::frontend {
namespace {

/// A message of CLI11 as a sentence.
std::string as_sentence(std::string message) {
  std::ranges::replace(message, '\n', ' ');
  while (!message.empty() && (message.back() == ' ' || message.back() == '.')) message.pop_back();
  return message;
}

/// Where CLI11 puts what it finds for one row.
struct Found {
  bool flag = false;
  std::string argument;
  std::vector<std::string> arguments;  // of one that may be given several times
  CLI::Option* option = nullptr;
};

/// Declares one row. Options with values go to `taken` as they come, everything else to `found`.
void declare(CLI::App& app, const OptionText& text, std::size_t row, std::vector<TakenOption>& taken,
             Found& found) {
  const std::string name(text.name);
  if (text.is_argument() && text.counts == Counts::Each) {
    found.option = app.add_option(name, found.arguments);
  } else if (text.is_argument()) {
    found.option = app.add_option(name, found.argument);
  } else if (text.value.empty()) {
    found.option = app.add_flag(name, found.flag);
  } else {
    const auto take = [&taken, row](const std::string& value) { taken.push_back({row, value}); };
    found.option = app.add_option_function<std::string>(name, take)->trigger_on_parse();
  }
  found.option->required(text.required);
}

/// "--name=" as "--name" and "": CLI11 would take the next word for its value.
std::vector<std::string> with_empty_values(std::span<const OptionText> rows,
                                           const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const std::string& word : words) {
    const std::string_view name = std::string_view(word).substr(0, word.size() - word.ends_with('='));
    const auto row = std::ranges::find(rows, name, &OptionText::name);
    if (name.size() == word.size() || row == rows.end() || row->value.empty()) {
      out.push_back(word);
    } else {
      out.emplace_back(name);
      out.emplace_back();
    }
  }
  return out;
}

Error unknown_word(std::span<const OptionText> rows, const std::string& word, Instead instead) {
  const std::string known = instead == nullptr ? std::string() : instead(word);
  if (!known.empty()) return Error{fmt::format("{} is an option of QEMU's: {}", word, known)};
  Nearest nearest(word.substr(0, word.find('=')));
  for (const OptionText& row : rows)
    if (!row.is_argument()) nearest.offer(row.name);
  return Error{fmt::format("unknown option or argument '{}'{}", word,
                           nearest.name().empty() ? "" : fmt::format("; did you mean {}?", nearest.name()))};
}

}  // namespace

Result<std::vector<TakenOption>> take_words(std::span<const OptionText> rows,
                                            const std::vector<std::string>& words, Instead instead) {
  for (const OptionText& row : rows)
    for (const std::string& word : words)
      if (!row.is_argument() && row.value.empty() && word.starts_with(std::string(row.name) + '='))
        return Error{
            fmt::format("{} takes no value: leave out '{}'", row.name, word.substr(row.name.size()))};
  CLI::App app;
  app.set_help_flag();
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  std::vector<TakenOption> options;
  std::vector<Found> found(rows.size());
  for (std::size_t row = 0; row < rows.size(); ++row) declare(app, rows[row], row, options, found[row]);
  try {
    // CLI11 takes the words last first.
    std::vector<std::string> all = with_empty_values(rows, words);
    std::ranges::reverse(all);
    app.parse(std::move(all));
  } catch (const CLI::ExtrasError&) {
    return unknown_word(rows, app.remaining().at(0), instead);
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string message = as_sentence(error.what());
    const std::string_view name = std::string_view(message).substr(0, message.find(':'));
    const auto row = std::ranges::find(rows, name, &OptionText::name);
    if (row == rows.end() || row->value.empty()) return Error{message};
    return Error{fmt::format("{} needs a value: {} {}", name, name, row->value)};
  } catch (const CLI::ParseError& error) {
    return Error{as_sentence(error.what())};
  }
  std::vector<TakenOption> taken;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::string& value : found[row].arguments) taken.push_back({row, std::move(value)});
    if (found[row].flag) taken.push_back({row, {}});
    if (rows[row].is_argument() && rows[row].counts == Counts::Last && !found[row].option->empty())
      taken.push_back({row, std::move(found[row].argument)});
  }
  for (std::size_t i = 0; i < options.size(); ++i) {
    const auto later = std::span(options).subspan(i + 1);
    const bool superseded = rows[options[i].row].counts == Counts::Last &&
                            std::ranges::find(later, options[i].row, &TakenOption::row) != later.end();
    if (!superseded) taken.push_back(std::move(options[i]));
  }
  return taken;
}

}  // namespace reprise::frontend
