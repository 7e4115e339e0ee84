// Background: a process that goes on by itself once its run has begun. Whoever started it learns that by the end of the process that
// was started, as from QEMU's -daemonize.
#pragma once

#include "common/result.h"
#include "frontend/signals.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

class Background {
 public:
  /// Goes on in a second process, in a session of its own. The first one takes its signals, waits for begun() and ends with code 0; if
  /// the second ends before, with its code. Before anything else is started or opened.
  static Result<Background> enter(HeldSignals& held);

  /// Standard input and outputs are nobody's from here on.
  void begun();

 private:
  explicit Background(machine::HostFd first) : first_(std::move(first)) {}

  machine::HostFd first_;  // the end of a pipe at which the first process waits
};

}  // namespace reprise::frontend
