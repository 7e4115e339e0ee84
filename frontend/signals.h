// Signals while a machine runs: requests to end are passed on to it, crashes first give the terminal back.
#pragma once

#include "machine/machine.h"

namespace reprise::frontend {

/// While it lives, SIGINT, SIGTERM and SIGHUP end `machine` (a second one ends the process), and SIGSEGV,
/// SIGBUS, SIGILL, SIGFPE and SIGABRT restore the terminal before they take their usual course. One at a
/// time.
class SignalGuard {
 public:
  explicit SignalGuard(machine::Machine& machine);
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
};

}  // namespace reprise::frontend
