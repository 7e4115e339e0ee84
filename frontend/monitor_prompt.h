// The monitor's prompt on the guest's terminal, which Ctrl-A c opens and closes. docs/monitor.md.
#pragma once

#include "frontend/console.h"
#include "frontend/line_editor.h"
#include "machine/monitor/monitor.h"

namespace reprise::frontend {

/// Thread: the one that reads the terminal.
class MonitorPrompt {
 public:
  /// Both outlive this. `prompt` stands before what the user types.
  MonitorPrompt(machine::monitor::Monitor& monitor, Console& console, std::string_view prompt);

  bool open() const { return open_; }
  /// Opens it, or gives the terminal back to the guest.
  void toggle();
  /// While it is open: what the user types.
  void key(u8 key);

 private:
  void carry_out(const std::string& line);

  machine::monitor::Monitor& monitor_;
  Console& console_;
  LineEditor editor_;
  bool open_ = false;
};

}  // namespace reprise::frontend
