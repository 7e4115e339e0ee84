// Runs cases on the host CPU, in a fenced child process.
//
// The child maps the layout at its fixed addresses and raises one SIGTRAP. Its signal handler stores the
// registers of the case that just ended into shared memory and writes those of the next one into the signal
// frame: returning from the handler starts it. Every case ends in a signal (the INT3 behind the code, or a
// fault), so no code of ours runs between the registers and the instruction.
#pragma once

#include <span>
#include <string>

#include "tests/native/case.h"

namespace reprise::native {

/// Runs all cases; `outcomes` has as many elements. Returns an empty string, or what went wrong in the child.
std::string run_on_host(std::span<const Case> cases, std::span<Outcome> outcomes);

}  // namespace reprise::native
