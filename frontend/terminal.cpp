#include "frontend/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <atomic>

namespace reprise::frontend {
namespace {

// A process has one terminal, and a signal handler has no argument: these are the process's, not a
// machine's.
termios saved_settings;
std::atomic<bool> changed{false};
std::atomic<bool> modes_changed{false};

}  // namespace

Terminal::Terminal() {
  if (!isatty(STDIN_FILENO)) return;
  // -1: a terminal without job control for us, which is as good.
  const pid_t foreground = tcgetpgrp(STDIN_FILENO);
  if (foreground != -1 && foreground != getpgrp()) return;
  if (tcgetattr(STDIN_FILENO, &saved_settings) != 0) return;
  termios settings = saved_settings;
  settings.c_iflag &=
      ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  settings.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  changed.store(true);
  if (tcsetattr(STDIN_FILENO, TCSANOW, &settings) != 0) {
    changed.store(false);
    return;
  }
  raw_ = true;
}

Terminal::~Terminal() { restore(); }

void Terminal::guest_changed_modes(bool changed) { modes_changed.store(changed); }

void Terminal::restore() {
  if (modes_changed.exchange(false)) {
    constexpr char kUsual[] = "\x1b[m\x1b[?7h\x1b[?25h";
    [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, kUsual, sizeof kUsual - 1);
  }
  if (changed.exchange(false)) tcsetattr(STDIN_FILENO, TCSANOW, &saved_settings);
}

const char* Terminal::line_end() { return changed.load() ? "\r\n" : "\n"; }

}  // namespace reprise::frontend
