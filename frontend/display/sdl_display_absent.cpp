// In place of sdl_display.cpp in a build without SDL 2.
#include "frontend/display/sdl_display.h"

namespace reprise::frontend {

bool sdl_is_offered() { return false; }

Result<std::unique_ptr<Display>> open_sdl_display(machine::Machine&, std::shared_ptr<ViewMutex>, SayToUser) {
  return wrong_usage(
      "--display sdl: this reprise was built without SDL 2: build it with Debian's package libsdl2-dev.");
}

}  // namespace reprise::frontend
