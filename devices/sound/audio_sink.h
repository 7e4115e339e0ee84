// Where sound goes: the host side of a speaker or a sound card.
#pragma once

#include <span>

#include "common/types.h"

namespace reprise::devices {

/// Sound is a function of virtual time alone: frame N is what was heard from N/48000 s after its zero on, whoever listens and
/// in whatever pieces it is handed over. Called on the thread that runs the machine; must not block it.
class AudioSink {
 public:
  static constexpr u64 kFramesPerSecond = 48'000;
  static constexpr unsigned kChannels = 2;

  virtual ~AudioSink() = default;
  /// `samples` are left and right by turns, from frame `first` on. What lies between two calls is silence; no call begins
  /// ahead of the end of the one before it.
  virtual void play(u64 first, std::span<const i16> samples) = 0;
};

}  // namespace reprise::devices
