#include "frontend/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <atomic>

namespace reprise::frontend {
namespace {

// A process has one terminal, and a signal handler has no argument: these are the process's, not a
// machine's.
termios saved_settings;
termios raw_settings;
std::atomic<bool> changed{false};
/// What sets back what the guest changed. A handler may come while the next one is written: there are two.
constexpr std::size_t kMaxBackBytes = 16384;
char back_texts[2][kMaxBackBytes];
std::atomic<unsigned> back{0};  // bytes << 1 | which

/// Whether this process may set the terminal: the shell has given it to another one while this was stopped otherwise.
bool has_foreground() {
  const pid_t foreground = tcgetpgrp(STDIN_FILENO);
  // -1: a terminal without job control for us, which is as good.
  return foreground == -1 || foreground == getpgrp();
}

void set_back(unsigned which) {
  if (which < 2) return;
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, back_texts[which & 1], which >> 1);
}

}  // namespace

Terminal::Terminal() {
  if (!isatty(STDIN_FILENO) || !has_foreground()) return;
  if (tcgetattr(STDIN_FILENO, &saved_settings) != 0) return;
  termios settings = saved_settings;
  settings.c_iflag &=
      ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  raw_settings = settings;
  changed.store(true);
  if (tcsetattr(STDIN_FILENO, TCSANOW, &settings) != 0) {
    changed.store(false);
    return;
  }
  raw_ = true;
}

Terminal::~Terminal() { restore(); }

void Terminal::to_set_back(std::string_view text) {
  const unsigned which = ~back.load() & 1;
  // Half a sequence would be worse than none.
  const std::size_t bytes = text.size() <= kMaxBackBytes ? text.size() : 0;
  text.copy(back_texts[which], bytes);
  back.store(static_cast<unsigned>(bytes << 1) | which);
}

void Terminal::restore() {
  set_back(back.exchange(0));
  if (changed.exchange(false) && has_foreground()) tcsetattr(STDIN_FILENO, TCSANOW, &saved_settings);
}

void Terminal::lend() {
  set_back(back.load());
  if (changed.load() && has_foreground()) tcsetattr(STDIN_FILENO, TCSANOW, &saved_settings);
}

void Terminal::take_back() {
  if (changed.load() && has_foreground()) tcsetattr(STDIN_FILENO, TCSANOW, &raw_settings);
}

const char* Terminal::line_end() { return changed.load() ? "\r\n" : "\n"; }

}  // namespace reprise::frontend
