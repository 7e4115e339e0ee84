// The title of the window, which is its status line.
#pragma once

#include <string>

#include "common/types.h"

namespace reprise::frontend {

struct WindowStatus {
  bool known = false;    // the run has begun
  double mips = 0;       // million instructions in a second of the host's time
  u64 instructions = 0;  // where the guest is
  u64 virtual_ns = 0;
  bool disk = false;     // a drive was used since the last look
  bool network = false;  // so was the network
  bool paused = false;
  bool grabbed = false;
  bool needs_grab = true;     // the guest has a mouse, no tablet
  bool asked_to_end = false;  // the power button was pressed for the window's close button
  std::string note;           // of the last action: a screenshot's file
};

/// "Reprise: 312 MIPS, 45.2 s, 12.3 G, disk, network - Ctrl+Alt+G releases keyboard and mouse".
std::string window_title(const WindowStatus& status);

}  // namespace reprise::frontend
