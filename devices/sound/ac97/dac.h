// Ac97Dac: what is heard of the samples that a codec takes: one frame for each of the link, lines between samples that come
// at a lower rate. When none come, the last one sinks to nothing, as behind the capacitors of a line out.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "devices/sound/ac97/codec.h"
#include "devices/sound/audio_sink.h"

namespace reprise::devices {

class Ac97Dac {
 public:
  static constexpr unsigned kChannels = AudioSink::kChannels;

  /// `frames` of the link, into which `samples` come at `hz`, appended to `heard`. `phase` is that of Ac97Channel::Step.
  void play(u64 frames, u32 phase, u32 hz, std::span<const i16> samples, Ac97Codec::Gain gain,
            std::vector<i16>& heard);
  enum class Behind : u8 { LastSample, Silence };
  /// As many without samples. `behind`: what follows the last one.
  void rest(u64 frames, Behind behind, Ac97Codec::Gain gain, std::vector<i16>& heard);
  /// Nothing is heard until samples come.
  bool silent() const { return previous_ == Frame{} && current_ == Frame{}; }

  void reset() { previous_ = current_ = {}; }
  void serialize(Archive& archive);

 private:
  using Frame = std::array<i16, kChannels>;
  void hear(u32 phase, Ac97Codec::Gain gain, std::vector<i16>& heard) const;

  Frame previous_{};
  Frame current_{};
};

}  // namespace reprise::devices
