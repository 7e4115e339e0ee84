// GuestEvent: what the guest has brought about, for whoever follows a run from outside (machine/monitor/qmp.h). No part of what it sees.
#pragma once

#include <string>
#include <string_view>

#include "common/types.h"

namespace reprise::machine {

struct GuestEvent {
  /// Off: it has switched itself off, and the machine stands still (RunLimits::stays_off).
  /// Unplugged: it has let go of a card.
  enum class Kind : u8 { Reset, Watchdog, Panicked, Off, Unplugged };
  Kind kind;
  std::string_view action = {};  // of a Watchdog, of static storage
  u64 virtual_ns = 0;
  std::string device = {};  // of an Unplugged: its id
};

}  // namespace reprise::machine
