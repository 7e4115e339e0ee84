// The commands of QMP that there are.
#pragma once

#include <span>
#include <string_view>

#include "machine/monitor/monitor.h"

namespace reprise::machine::monitor {

struct QmpCommand {
  std::string_view name;
  /// `arguments` is an object, or null. Machine thread, between turns. nullptr: `line` is a command of the monitor's without
  /// arguments, whose answer is not passed on.
  Outcome (*answer)(Monitor& monitor, const Json& arguments);
  std::string_view line = {};
  // Members of `arguments`, and what is returned: qmp_schema.h.
  std::string_view arguments = {};
  std::string_view returns = {};
};

std::span<const QmpCommand> qmp_commands();
/// "running", "paused": of query-status.
std::string_view qmp_status(Machine& machine);

}  // namespace reprise::machine::monitor
