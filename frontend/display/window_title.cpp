#include "frontend/display/window_title.h"

#include <fmt/format.h>

namespace reprise::frontend {

std::string window_title(const WindowStatus& status) {
  std::string title = "Reprise";
  if (status.known)
    title += fmt::format(": {:.0f} MIPS, {:.1f} s, {:.2f} G", status.mips,
                         static_cast<double>(status.virtual_ns) / 1e9,
                         static_cast<double>(status.instructions) / 1e9);
  if (status.disk) title += ", disk";
  if (status.network) title += ", network";
  if (status.paused) title += ", paused (Ctrl+Alt+P goes on)";
  if (!status.note.empty()) title += ", " + status.note;
  if (status.asked_to_end)
    title += " - asked to switch off; close again to end the run";
  else if (status.grabbed)
    title += " - Ctrl+Alt+G releases keyboard and mouse";
  else if (status.needs_grab)
    title += " - Ctrl+Alt+G or a click takes keyboard and mouse";
  else
    title += " - Ctrl+Alt+G takes the keyboard";
  return title;
}

}  // namespace reprise::frontend
