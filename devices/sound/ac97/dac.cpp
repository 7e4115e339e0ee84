#include "devices/sound/ac97/dac.h"

#include <algorithm>

namespace reprise::devices {
namespace {

constexpr i64 kUnity = 65'536;  // of a gain

i16 sunk(i16 sample) {
  constexpr int kDecay = 128;  // frames: 60 Hz
  const int lost = sample > 0 ? (sample + kDecay - 1) / kDecay : (sample - kDecay + 1) / kDecay;
  return static_cast<i16>(sample - lost);
}

i16 amplified(i64 sample, i64 gain) {
  return static_cast<i16>(std::clamp<i64>(sample * gain / kUnity, INT16_MIN, INT16_MAX));
}

}  // namespace

void Ac97Dac::hear(u32 phase, Ac97Codec::Gain gain, std::vector<i16>& heard) const {
  for (unsigned i = 0; i < kChannels; ++i) {
    const i64 rise = i64{current_[i]} - previous_[i];
    const i64 sample = previous_[i] + rise * phase / i64{Ac97Codec::kLinkHz};
    heard.push_back(amplified(sample, i == 0 ? gain.left : gain.right));
  }
}

void Ac97Dac::play(u64 frames, u32 phase, u32 hz, std::span<const i16> samples, Ac97Codec::Gain gain,
                   std::vector<i16>& heard) {
  for (; frames != 0; --frames) {
    phase += hz;
    if (phase >= Ac97Codec::kLinkHz) {
      phase -= Ac97Codec::kLinkHz;
      previous_ = current_;
      if (samples.size() >= kChannels) {
        current_ = {samples[0], samples[1]};
        samples = samples.subspan(kChannels);
      }
    }
    hear(phase, gain, heard);
  }
}

void Ac97Dac::rest(u64 frames, Behind behind, Ac97Codec::Gain gain, std::vector<i16>& heard) {
  for (; frames != 0 && !silent(); --frames) {
    previous_ = current_;
    for (i16& sample : current_) sample = behind == Behind::Silence ? i16{0} : sunk(sample);
    hear(0, gain, heard);
  }
}

void Ac97Dac::serialize(Archive& archive) {
  archive.value(previous_);
  archive.value(current_);
}

}  // namespace reprise::devices
