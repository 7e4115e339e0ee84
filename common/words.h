// Words as people write them: in lists, in any letters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reprise {

/// The parts of `text` between each `separator`, which is not empty; some may be empty. None for an empty text. They lie in
/// `text`.
std::vector<std::string_view> words_between(std::string_view text, std::string_view separator);

/// The parts of `text` between single commas; doubled ones are commas of a part. One for an empty text.
std::vector<std::string> words_at_commas(std::string_view text);
/// The other way round: `text` as a part that is to have its commas.
std::string with_commas_doubled(std::string_view text);

/// With a to z for A to Z.
std::string in_small_letters(std::string_view text);

/// With what a terminal would obey instead of show (ends of lines, ESC; names of files may hold anything) as "\n", "\x1b".
/// Tabs stay.
std::string in_one_line(std::string_view text);

}  // namespace reprise
