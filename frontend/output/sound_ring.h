// SoundRing: sound on its way from the run to the host's audio device. Neither side waits for the other: what comes when the ring
// is full is dropped, and when it is empty there is silence.
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "devices/sound/audio_sink.h"

namespace reprise::frontend {

class SoundRing {
 public:
  static constexpr unsigned kChannels = devices::AudioSink::kChannels;
  /// Silence ahead of what comes into an empty ring, so that the next piece may be late: 60 ms.
  static constexpr u64 kLeadFrames = devices::AudioSink::kFramesPerSecond * 60 / 1000;
  /// What waits at most: a quarter of a second.
  static constexpr u64 kMostFrames = devices::AudioSink::kFramesPerSecond / 4;

  SoundRing() : samples_(kMostFrames * kChannels) {}

  /// The run's thread: as AudioSink::play().
  void push(u64 first, std::span<const i16> samples);
  /// The host's audio thread: fills `into`.
  void pull(std::span<i16> into);

  u64 waiting() const {
    return written_.load(std::memory_order_acquire) - read_.load(std::memory_order_acquire);
  }

 private:
  /// As many as there is room for.
  void write(std::span<const i16> samples);

  std::vector<i16> samples_;
  std::atomic<u64> written_{0};  // frames since the beginning
  std::atomic<u64> read_{0};
  u64 next_ = 0;  // the frame behind the last one that was pushed
};

}  // namespace reprise::frontend
