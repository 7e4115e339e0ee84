// TerminalFilter: what a guest's console does to the user's terminal, kept to what passes again. Firmware resets the
// terminal, switches wrapping off and clears the screen: the first and the last destroy what the user had on it before,
// the second stays. Control sequences: ECMA-48, and xterm's "ctlseqs".
//
//     ESC c, ESC [ ? 7 l, ESC [ ? 2 l, ESC [ 3 J   dropped (a reset sets back what was changed, homes the cursor and
//                                                  clears, as ESC [ 2 J; ? 2 l leaves all these sequences: VT52)
//     the first ESC [ 2 J or ESC [ J at home       scrolls away what is there, then clears
//     anything else                                passes, and what it changes is set back at the end: modes, character
//                                                  sets, scrolling region, keypad, tabs, shape of the cursor, palette
// What cannot be set back because nobody can ask for it before: the window's title and size.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace reprise::frontend {

class TerminalFilter {
 public:
  /// `rows` says how many lines the terminal has now.
  explicit TerminalFilter(std::function<unsigned()> rows) : rows_(std::move(rows)) {}

  /// What to write for `text`. The beginning of a sequence is kept until the rest comes.
  std::string take(std::string_view text);
  /// At the end: what was kept, and what sets modes, colours and the cursor back. Empty when nothing was changed.
  std::string restore();
  /// What would set it back now, of what has gone to the terminal. Empty when nothing was changed.
  std::string restoring() const;

 private:
  /// String: in an operating system command or another string, which passes as it comes.
  enum class State { Text, Escape, Intermediate, Control, String };

  void end_sequence(std::string& out);
  /// `sequence_` is a control sequence of `final`, with `parameters`.
  void control_sequence(std::string& out, char final, std::string_view parameters);
  void clear(std::string& out, std::string_view sequence);
  /// A character outside of sequences.
  void plain(std::string& out, char c);
  void string_byte(char c);
  /// "4;1;red" and the like, in `string_`.
  void end_string();
  void escape_sequence(std::string_view sequence);
  void set_mode(std::string_view parameters, bool on);
  /// From now on `undo` sets `what` back; an empty one: it is as it was.
  void note(std::string what, std::string_view undo);
  std::string undone() const;

  const std::function<unsigned()> rows_;
  State state_ = State::Text;
  std::string sequence_;  // from its ESC on
  bool at_home_ = false;  // the cursor was just put into the first column of the first row
  bool cleared_ = false;
  bool changed_ = false;                          // a sequence went to the terminal
  bool margins_ = false;                          // a scrolling region was set
  std::map<std::string, bool> modes_ = {};        // private modes that the guest switched: on or off now
  std::map<std::string, std::string> undo_ = {};  // other things that it changed: what sets them back
  std::string string_;                            // of a string, as far as it says what it is
};

}  // namespace reprise::frontend
