// In place of sdl_sound.cpp in a build without SDL 2.
#include "frontend/output/sdl_sound.h"

namespace reprise::frontend {

Result<std::unique_ptr<devices::AudioSink>> open_sdl_sound() {
  return wrong_usage(
      "--sound sdl: this reprise was built without SDL 2: build it with Debian's package libsdl2-dev.");
}

}  // namespace reprise::frontend
