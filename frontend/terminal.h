// The user's terminal in raw mode, and its certain return to what it was: at exit, on signals, on a crash.
#pragma once

#include <string_view>

namespace reprise::frontend {

class Terminal {
 public:
  /// Puts the terminal of standard input into raw mode if there is one: now, or once this process has it in the
  /// foreground.
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// What ends a line of our own on the terminal as it is now: in raw mode a newline alone does not go back
  /// to the left.
  static const char* line_end();

  /// What restore() and lend() write to standard output, which is a terminal that the guest has changed, and what makes
  /// the guest's changes again; empty: nothing. One thread at a time.
  static void to_set_back(std::string_view text, std::string_view again);
  /// It was written, and nothing has changed since.
  static bool is_set_back();

  /// Restores the terminal, if it was changed. Async-signal-safe; may be called more than once.
  static void restore();

  /// Gives the terminal back while this process is stopped; takes it again, as it was, when this process has the
  /// foreground. Async-signal-safe.
  static void lend();
  static void take_back();

  /// Whether this process may read the terminal: it is in the foreground. A shell brings a job there without a signal to
  /// it, so the thread that reads asks now and then, and takes the terminal then.
  static bool attend();
};

}  // namespace reprise::frontend
