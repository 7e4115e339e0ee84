// The user's terminal in raw mode, and its certain return to what it was: at exit, on signals, on a crash.
#pragma once

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

  /// The guest has (or no longer has) changed modes, colours or the cursor of the terminal of standard output: restore()
  /// sets the usual ones back.
  static void guest_changed_modes(bool changed);

  /// Restores the terminal, if it was changed. Async-signal-safe; may be called more than once.
  static void restore();

  /// Gives the terminal back while this process is stopped, and makes it raw again if it was. Async-signal-safe.
  static void lend();
  static void take_back();

 private:
  bool raw_ = false;
};

}  // namespace reprise::frontend
