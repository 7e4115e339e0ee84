// A line of text being typed on a terminal in raw mode: editing keys, history, completion. Pure: keys in,
// what to show out.
//
//     Left Right Home End, Ctrl-B Ctrl-F Ctrl-E   move
//     Backspace Delete Ctrl-D                     remove a character
//     Ctrl-U Ctrl-K Ctrl-W                        remove more
//     Up Down Ctrl-P Ctrl-N                       earlier and later lines
//     Tab                                         complete
//     Ctrl-C                                      a fresh line
//
// Ctrl-A is not here: it begins the commands of escape_keys.h. Characters are ASCII.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise::frontend {

class LineEditor {
 public:
  /// What may complete the text before the cursor: whole lines that begin with it.
  using Completions = std::function<std::vector<std::string>(std::string_view prefix)>;

  LineEditor(std::string prompt, Completions completions)
      : prompt_(std::move(prompt)), completions_(std::move(completions)) {}

  struct Outcome {
    std::string show;                 // for the terminal
    std::optional<std::string> line;  // Enter: the line, which also went to the history
  };
  Outcome key(u8 key);

  /// The prompt and the line as it is, on a line of their own.
  std::string redraw() const;

 private:
  enum class Escape : u8 { None, Begun, Sequence };
  static constexpr std::size_t kMaxLine = 1024;
  static constexpr std::size_t kMaxHistory = 200;

  std::string control(u8 key);
  std::string escape_end(u8 key);
  std::string insert(char character);
  std::string remove(std::size_t first, std::size_t last);
  std::string move_to(std::size_t cursor);
  std::string recall(std::size_t index);
  std::string complete();
  Outcome enter();

  const std::string prompt_;
  const Completions completions_;
  std::string line_;
  std::size_t cursor_ = 0;
  Escape escape_ = Escape::None;
  std::string sequence_;  // of an escape sequence, behind the '['
  std::vector<std::string> history_;
  std::size_t recalled_ = 0;  // index in history_; its size: the new line
  std::string new_line_;      // what was typed before an older line was recalled
};

}  // namespace reprise::frontend
