// LoggedEvent: what came from outside, and when the guest could first see it.
#pragma once

#include <string>

#include "machine/outside/event.h"
#include "machine/outside/position.h"

namespace reprise::machine {

struct LoggedEvent {
  Position at;
  std::string sink;  // of an answer: who asked
  Event event;
};

}  // namespace reprise::machine
