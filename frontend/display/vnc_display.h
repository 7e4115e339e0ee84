// --display vnc:ADDRESS: the screen for viewers of the RFB protocol (RFC 6143), by libvncserver. docs/display.md.
//
// One thread serves all viewers. No message is begun before all of it has come, and a viewer that does not take what it asked for
// is dropped after some seconds, during which at most other viewers wait for it; the machine never does.
#pragma once

#include <memory>

#include "common/result.h"
#include "frontend/display/display.h"
#include "frontend/display/display_choice.h"

namespace reprise::machine {
class Machine;
}

namespace reprise::frontend {

/// Listens and serves, until it is destroyed. `machine` outlives it. Before run(), and destroyed after it. Error: it
/// cannot listen there, the password cannot be read, or this build has no libvncserver.
Result<std::unique_ptr<Display>> open_vnc_display(const VncChoice& choice, machine::Machine& machine,
                                                  std::shared_ptr<ViewMutex> views);

}  // namespace reprise::frontend
