#include "machine/run_result.h"

#include <fmt/format.h>

#include <cstring>

namespace reprise::machine {

std::string_view exit_reason_name(ExitReason reason) {
  switch (reason) {
    case ExitReason::PowerOff: return "poweroff";
    case ExitReason::Reset: return "reset";
    case ExitReason::DebugExit: return "debug-exit";
    case ExitReason::StopAt: return "stop-at";
    case ExitReason::Quit: return "quit";
    case ExitReason::Panic: return "panic";
    case ExitReason::Hang: return "hang";
    case ExitReason::Timeout: return "timeout";
    case ExitReason::TripleFault: return "triple-fault";
    case ExitReason::HostError: return "host-error";
    case ExitReason::Usage: return "usage";
    case ExitReason::WallTimeout: return "wall-timeout";
    case ExitReason::EnginesDiffer: return "engines-differ";
    case ExitReason::Signal: return "signal";
    case ExitReason::NoBoot: return "no-boot";
    case ExitReason::ReplayDiffers: return "replay-differs";
  }
  return "unknown";
}

std::optional<ExitReason> exit_reason_of_name(std::string_view name) {
  for (auto reason = ExitReason::PowerOff; reason <= ExitReason::ReplayDiffers;
       reason = static_cast<ExitReason>(static_cast<u8>(reason) + 1))
    if (exit_reason_name(reason) == name) return reason;
  return std::nullopt;
}

int exit_code_of(ExitReason reason) {
  switch (reason) {
    case ExitReason::PowerOff:
    case ExitReason::StopAt:
    case ExitReason::Quit: return 0;
    case ExitReason::DebugExit: return 1;
    case ExitReason::Usage: return 2;
    case ExitReason::Panic: return 10;
    case ExitReason::Hang: return 11;
    case ExitReason::Timeout: return 12;
    case ExitReason::TripleFault: return 13;
    case ExitReason::Reset: return 14;
    case ExitReason::NoBoot: return 15;
    case ExitReason::HostError: return 20;
    case ExitReason::WallTimeout: return 21;
    case ExitReason::ReplayDiffers: return 22;
    case ExitReason::EnginesDiffer: return 23;
    case ExitReason::Signal: return 128;
  }
  return 20;
}

std::string ended_by_signal(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name != nullptr ? fmt::format("ended by SIG{}", name) : fmt::format("ended by signal {}", signal);
}

}  // namespace reprise::machine
