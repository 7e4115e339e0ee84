#include "frontend/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <atomic>

namespace reprise::frontend {
namespace {

/// A text that a signal handler writes. It may come while the next one is put here: there are two.
class PublishedText {
 public:
  /// Returns whether it is another one than before.
  bool publish(std::string_view text) {
    const unsigned now = now_.load();
    // Half a sequence would be worse than none.
    if (text.size() > kMaxBytes) text = {};
    if (text == std::string_view(texts_[now & 1], now >> 1)) return false;
    const unsigned which = ~now & 1;
    text.copy(texts_[which], text.size());
    now_.store(static_cast<unsigned>(text.size() << 1) | which);
    return true;
  }
  void write() const {
    const unsigned now = now_.load();
    if (now < 2) return;
    [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, texts_[now & 1], now >> 1);
  }

 private:
  static constexpr std::size_t kMaxBytes = 16384;
  char texts_[2][kMaxBytes] = {};
  std::atomic<unsigned> now_{0};  // bytes << 1 | which
};

// A process has one terminal, and a signal handler has no argument: these are the process's, not a
// machine's.
termios saved_settings;
termios raw_settings;
std::atomic<bool> wanted{false};
std::atomic<bool> changed{false};
std::atomic<bool> away{false};     // another process had the foreground when it was last looked at
std::atomic_flag being_taken;      // by the thread that reads, or a handler
PublishedText back;                // sets back what the guest changed
PublishedText again;               // changes it again
std::atomic<bool> is_back{false};  // `back` was written, and nothing after it

/// Whether this process may set the terminal: the shell has given it to another one while this was stopped otherwise.
bool has_foreground() {
  const pid_t foreground = tcgetpgrp(STDIN_FILENO);
  // -1: a terminal without job control for us, which is as good.
  return foreground == -1 || foreground == getpgrp();
}

termios raw_of(termios settings) {
  settings.c_iflag &=
      ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  return settings;
}

void make_raw() {
  if (!changed.load()) {
    if (tcgetattr(STDIN_FILENO, &saved_settings) != 0) return;
    raw_settings = raw_of(saved_settings);
    changed.store(true);
  }
  tcsetattr(STDIN_FILENO, TCSANOW, &raw_settings);
}

void set_back() {
  if (!is_back.exchange(true)) back.write();
}

}  // namespace

Terminal::Terminal() {
  if (!isatty(STDIN_FILENO)) return;
  wanted.store(true);
  away.store(true);
  attend();
}

Terminal::~Terminal() { restore(); }

void Terminal::to_set_back(std::string_view text, std::string_view again_text) {
  const bool is_another = back.publish(text);
  if (again.publish(again_text) || is_another) is_back.store(false);
}

bool Terminal::is_set_back() { return is_back.load(); }

void Terminal::restore() {
  set_back();
  wanted.store(false);
  if (changed.exchange(false) && has_foreground()) tcsetattr(STDIN_FILENO, TCSANOW, &saved_settings);
}

void Terminal::lend() {
  set_back();
  if (changed.load() && has_foreground()) tcsetattr(STDIN_FILENO, TCSANOW, &saved_settings);
}

void Terminal::take_back() {
  if (!has_foreground()) {
    away.store(true);
    return;
  }
  away.store(false);
  if (is_back.exchange(false)) again.write();
  // Whoever was interrupted in it goes on with it.
  if (!wanted.load() || being_taken.test_and_set()) return;
  make_raw();
  being_taken.clear();
}

bool Terminal::attend() {
  if (!has_foreground()) {
    away.store(true);
    return false;
  }
  if (away.load()) take_back();
  return true;
}

const char* Terminal::line_end() { return changed.load() ? "\r\n" : "\n"; }

}  // namespace reprise::frontend
