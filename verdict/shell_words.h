// Words for a POSIX shell.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace reprise::verdict {

/// `word` as the shell reads it back: as it is where it can be, else between quotes.
std::string shell_word(std::string_view word);

/// The words of a command, with spaces between.
std::string shell_words(std::span<const std::string> words);

/// Whether a shell takes `name` for a variable.
bool is_variable_name(std::string_view name);

}  // namespace reprise::verdict
