// TerminalFilter: what a guest's console does to the user's terminal, kept to what passes again. Firmware resets the
// terminal, switches wrapping off and clears the screen: the first and the last destroy what the user had on it before,
// the second stays. Control sequences: ECMA-48, and xterm's "ctlseqs".
//
//     ESC c, ESC [ ? 7 l, ESC [ ? 2 l, ESC [ 3 J   dropped (a reset sets back what was changed, homes the cursor and
//                                                  clears, as ESC [ 2 J; ? 2 l leaves all these sequences: VT52)
//     the first ESC [ 2 J or ESC [ J at home       scrolls away what is there, then clears
//     C1 controls in UTF-8 (C2 9B for ESC [)       as their 7-bit forms
//     anything else                                passes, and what it changes is set back at the end: modes, character
//                                                  sets, scrolling region, keypad, tabs, shape of the cursor, palette,
//                                                  reports of keys (xterm's, kitty's), links
// What cannot be set back because nobody can ask for it before: the window's title and size.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

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
  /// What would change it again, as far as it shows in modes; after restoring().
  std::string changing() const;

 private:
  /// String: in an operating system command or another string, which passes as it comes.
  enum class State { Text, Escape, Intermediate, Control, String };

  void take_byte(std::string& out, char c);
  void end_sequence(std::string& out);
  /// `sequence_` is a control sequence of `final`, with `parameters`.
  void control_sequence(std::string& out, char final, std::string_view parameters);
  void clear(std::string& out, std::string_view sequence);
  /// Keys as kitty's protocol reports them, on the screen that shows now.
  void kitty_keys(std::string_view parameters);
  /// A character outside of sequences, or a control character in one.
  void plain(std::string& out, char c);
  void string_byte(char c);
  /// "4;1;red" and the like, in `string_`.
  void end_string();
  void escape_sequence(std::string_view sequence);
  void key_resource(char final, std::string_view parameters);
  void color(std::string_view parameters);
  /// All is as it was.
  void forget();
  void set_mode(std::string_view parameters, bool on);
  /// From now on `undo` sets `what` back; an empty one: it is as it was. `redo` is what changed it.
  void note(std::string what, std::string_view undo, std::string_view redo);
  std::string undone() const;
  bool on_other_screen() const;

  const std::function<unsigned()> rows_;
  State state_ = State::Text;
  std::string sequence_;  // from its ESC on
  bool at_home_ = false;  // the cursor was just put into the first column of the first row
  bool cleared_ = false;
  bool changed_ = false;                    // a sequence went to the terminal
  bool margins_ = false;                    // a scrolling region was set
  std::map<std::string, bool> modes_ = {};  // private modes that the guest switched: on or off now
  struct Change {
    std::string undo, redo;
  };
  std::map<std::string, Change> changes_ = {};  // other things that it changed
  struct KittyKeys {
    std::vector<std::string> pushed;
    std::string set;  // how they were set without that; empty: they were not
  };
  KittyKeys kitty_[2];    // each of the two screens has its own
  std::string region_;    // what set the scrolling region
  std::string colors_;    // the ESC [ m since the last that took all away
  std::string string_;    // of a string, as far as it says what it is
  bool held_c2_ = false;  // the first byte of what may be a C1 control
};

}  // namespace reprise::frontend
