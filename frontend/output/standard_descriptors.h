// Descriptors 0 to 2, which are there whatever the caller closed.
#pragma once

#include "common/losses.h"
#include "common/words.h"
#include "frontend/output/output.h"

namespace reprise::frontend {

/// Before anything else is opened: a file must never get the number of a descriptor that was closed, or what is meant
/// for a terminal would go into it. One that was closed fails when it is read or written, as it did.
void open_standard_descriptors();

/// What this process says, and what of it got lost.
struct StandardOutputs {
  std::string program = "reprise";  // what begins a sentence
  Losses losses;
  Output out{"standard output", 1, losses};
  Output err{"standard error", 2, losses};

  /// One sentence about a problem on the host. The exit code says so too.
  void say(std::string_view text) { err.tell(program + ": " + in_one_line(text) + '\n'); }
  /// `exit_code`, or that of a host error when something was lost so far.
  int code_after_losses(int exit_code) const;
  /// At the end: names what was lost.
  void tell_losses();
};

}  // namespace reprise::frontend
