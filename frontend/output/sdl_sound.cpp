#include "frontend/output/sdl_sound.h"

#include <SDL2/SDL.h>
#include <fmt/format.h>

#include "frontend/output/sound_ring.h"

namespace reprise::frontend {
namespace {

class SdlSound final : public devices::AudioSink {
 public:
  ~SdlSound() override {
    if (device_ != 0) SDL_CloseAudioDevice(device_);
    if (initialized_) SDL_QuitSubSystem(SDL_INIT_AUDIO);
  }

  /// Error: SDL's words.
  Result<Done> open();
  void play(u64 first, std::span<const i16> samples) override { ring_.push(first, samples); }

 private:
  SoundRing ring_;
  SDL_AudioDeviceID device_ = 0;
  bool initialized_ = false;
};

/// On a thread of SDL's.
void pull(void* ring, Uint8* bytes, int count) {
  const std::size_t samples = static_cast<std::size_t>(count) / sizeof(i16);
  static_cast<SoundRing*>(ring)->pull({reinterpret_cast<i16*>(bytes), samples});
}

Result<Done> SdlSound::open() {
  // Signals are the run's.
  SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
  initialized_ = SDL_InitSubSystem(SDL_INIT_AUDIO) == 0;
  if (!initialized_) return Error{SDL_GetError()};
  SDL_AudioSpec wanted = {};
  wanted.freq = static_cast<int>(kFramesPerSecond);
  wanted.format = AUDIO_S16SYS;
  wanted.channels = kChannels;
  wanted.samples = 1024;  // frames: 21 ms
  wanted.callback = pull;
  wanted.userdata = &ring_;
  // SDL converts where the device wants something else.
  device_ = SDL_OpenAudioDevice(nullptr, 0, &wanted, nullptr, 0);
  if (device_ == 0) return Error{SDL_GetError()};
  SDL_PauseAudioDevice(device_, 0);
  return Done{};
}

}  // namespace

Result<std::unique_ptr<devices::AudioSink>> open_sdl_sound() {
  auto sound = std::make_unique<SdlSound>();
  if (const auto opened = sound->open(); !opened)
    return Error{
        fmt::format("--sound sdl: there is no audio device to play on ({}): give --sound wav:FILE or none.",
                    opened.error().message)};
  return std::unique_ptr<devices::AudioSink>(std::move(sound));
}

}  // namespace reprise::frontend
