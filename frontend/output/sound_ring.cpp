#include "frontend/output/sound_ring.h"

#include <algorithm>

namespace reprise::frontend {

void SoundRing::push(u64 first, std::span<const i16> samples) {
  // An empty ring has been silent for as long as it took.
  const u64 gap = first > next_ ? first - next_ : 0;
  const u64 silence = waiting() == 0 ? kLeadFrames : std::min(gap, kMostFrames);
  const std::vector<i16> zeros(silence * kChannels);
  write(zeros);
  write(samples);
  next_ = first + samples.size() / kChannels;
}

void SoundRing::write(std::span<const i16> samples) {
  u64 at = written_.load(std::memory_order_relaxed);
  const u64 frames = std::min<u64>(samples.size() / kChannels, kMostFrames - waiting());
  for (u64 i = 0; i < frames; ++i, ++at)
    for (unsigned channel = 0; channel < kChannels; ++channel)
      samples_[at % kMostFrames * kChannels + channel] = samples[i * kChannels + channel];
  written_.store(at, std::memory_order_release);
}

void SoundRing::pull(std::span<i16> into) {
  u64 at = read_.load(std::memory_order_relaxed);
  const u64 frames = std::min<u64>(into.size() / kChannels, waiting());
  for (u64 i = 0; i < frames; ++i, ++at)
    for (unsigned channel = 0; channel < kChannels; ++channel)
      into[i * kChannels + channel] = samples_[at % kMostFrames * kChannels + channel];
  read_.store(at, std::memory_order_release);
  std::ranges::fill(into.subspan(frames * kChannels), i16{0});
}

}  // namespace reprise::frontend
