// --display sdl: a window on the desktop, by SDL 2. docs/display.md.
//
// A thread of its own makes all calls of SDL: it draws what the ScreenFeed has, and gives what hands do to the inbox.
#pragma once

#include <memory>
#include <string_view>

#include "common/result.h"
#include "frontend/display/display.h"

namespace reprise::machine {
class Machine;
}

namespace reprise::frontend {

/// False in a build without SDL 2.
bool sdl_is_offered();

/// Opens the window, which is there until this is destroyed or its desktop goes, which `say` is told. `machine` outlives it. Before
/// run(), and destroyed after it. Error: there is no desktop, a window is open already, or this build has no SDL.
Result<std::unique_ptr<Display>> open_sdl_display(machine::Machine& machine, std::shared_ptr<ViewMutex> views,
                                                  SayToUser say);

}  // namespace reprise::frontend
