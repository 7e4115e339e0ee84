// Option: one row of a command's table of options. From the rows come the parser, `--help`, the man page, the
// completion for bash and the options in docs/command.md: frontend/manual/.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise::frontend {

/// Where `--help` shows an option. Its pages are short, so some share a line with the one before.
enum class Shown : u8 {
  Line,      // a line with its help
  SameLine,  // behind the help of the one before, with its own
  NameLine,  // a line that only names it
  Name,      // behind the name of the one before, without help
};

/// How often an option counts that is given several times.
enum class Counts : u8 { Last, Each };

/// What completion offers behind a comma of a value that begins with `first`; "*": with anything. `words` have spaces
/// between them.
struct WordsBehind {
  std::string first;
  std::string words;
};

/// What a row says to people.
struct OptionText {
  std::string_view name;   // "--memory"; without dashes it is an argument, known by its position
  std::string_view value;  // "SIZE"; empty: the option takes none. FILE: completion offers files
  Shown shown;
  std::string_view help;                 // a phrase
  std::string_view more;                 // sentences for the manual, behind the phrase
  std::string_view words;                // what completion offers for the value, with spaces between
  std::vector<WordsBehind> (*behind)();  // nullptr: the same as `words`
  Counts counts;
  bool required;

  bool is_argument() const { return !name.starts_with('-'); }
  bool takes_file() const { return value.starts_with("FILE") || name == "FILE" || name == "IMAGE"; }
};

/// One option as it was given.
struct Given {
  std::string_view name;
  std::string value;  // empty for an option that takes none
};

/// A value that was refused: a sentence without a full stop. Thrown by setters.
struct BadValue {
  std::string message;
};

/// What an empty value of an option is. Refused: a script's variable without a value must not pass for an option that
/// was not given. Taken: its setter knows what it means.
enum class Empty : u8 { Refused, Taken };

/// A row: `set` writes what was given to where it belongs, in a Target.
template <class Target>
struct Option {
  std::string_view name;
  std::string_view value = {};
  Shown shown = Shown::Line;
  std::string_view help;
  std::string_view more = {};
  std::string_view words = {};
  std::vector<WordsBehind> (*behind)() = nullptr;
  Counts counts = Counts::Last;
  bool required = false;
  Empty empty = Empty::Refused;
  bool of_machine = false;  // it says what the machine is, so it belongs to a saved state of it
  void (*set)(Target& target, const Given& given);

  OptionText text() const { return {name, value, shown, help, more, words, behind, counts, required}; }
};

template <class Target>
struct OptionGroup {
  std::string_view heading;
  std::string_view remark;  // behind the heading; may be empty
  std::span<const Option<Target>> rows;
};

}  // namespace reprise::frontend
