// TerminalFilter: what a guest's console does to the user's terminal, kept to what passes again. Firmware resets the
// terminal, switches wrapping off and clears the screen: the first and the last destroy what the user had on it before,
// the second stays. Control sequences: ECMA-48, and xterm's "ctlseqs".
//
//     ESC c, ESC [ ? 7 l, ESC [ 3 J   dropped (a reset homes the cursor and clears, as ESC [ 2 J)
//     the first ESC [ 2 J or ESC [ J at home   scrolls away what is there, then clears
//     anything else                            passes; modes that are changed are set back at the end
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
  /// A sequence went to the terminal.
  bool changed() const { return changed_; }

 private:
  enum class State { Text, Escape, Intermediate, Control };

  void end_sequence(std::string& out);
  /// `sequence_` is a control sequence of `final`, with `parameters`.
  void control_sequence(std::string& out, char final, std::string_view parameters);
  void clear(std::string& out, std::string_view sequence);

  const std::function<unsigned()> rows_;
  State state_ = State::Text;
  std::string sequence_;  // from its ESC on
  bool at_home_ = false;  // the cursor was just put into the first column of the first row
  bool cleared_ = false;
  bool changed_ = false;                    // a sequence went to the terminal
  bool margins_ = false;                    // a scrolling region was set
  std::map<std::string, bool> modes_ = {};  // private modes that the guest switched: on or off now
};

}  // namespace reprise::frontend
