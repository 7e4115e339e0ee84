// --sound sdl: the guest's sound on the host's audio device, by SDL 2.
#pragma once

#include <memory>

#include "common/result.h"
#include "devices/sound/audio_sink.h"

namespace reprise::frontend {

/// Plays until it is destroyed. The run is never held up. Error: there is no audio device, or this build has no SDL.
Result<std::unique_ptr<devices::AudioSink>> open_sdl_sound();

}  // namespace reprise::frontend
