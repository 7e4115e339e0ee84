// The user's terminal in raw mode, and its certain return to what it was: at exit, on signals, on a crash.
#pragma once

#include <string_view>

namespace reprise::frontend {

class Terminal {
 public:
  /// Puts the terminal of standard input into raw mode if there is one and this process has it in the
  /// foreground.
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  bool raw() const { return raw_; }

  /// What ends a line of our own on the terminal as it is now: in raw mode a newline alone does not go back
  /// to the left.
  static const char* line_end();

  /// What restore() and lend() write to standard output, which is a terminal that the guest has changed; empty: nothing.
  /// One thread at a time.
  static void to_set_back(std::string_view text);

  /// Restores the terminal, if it was changed. Async-signal-safe; may be called more than once.
  static void restore();

  /// Gives the terminal back while this process is stopped, and makes it raw again if it was. Async-signal-safe.
  static void lend();
  static void take_back();

 private:
  bool raw_ = false;
};

}  // namespace reprise::frontend
