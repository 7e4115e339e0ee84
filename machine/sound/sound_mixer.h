// SoundMixer: what the speaker and a sound card play, added up. Each hands over its sound when it suits it; the mixer passes on
// what all of them have come past. Frames in which nothing is heard are silence, whoever sent them, so the mix does not depend
// on how the sound was cut into pieces.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "devices/sound/audio_sink.h"

namespace reprise::machine {

/// Machine thread.
class SoundMixer {
 public:
  /// `out` outlives it.
  explicit SoundMixer(devices::AudioSink& out) : out_(out) {}

  /// Lives as long as the mixer.
  devices::AudioSink& add_input();
  /// No input will play ahead of `frame` any more: what is ahead of it goes out.
  void pass_on(u64 frame);

 private:
  class Input final : public devices::AudioSink {
   public:
    void play(u64 first, std::span<const i16> samples) override;
    /// The first frame that waits; ~0: none does.
    u64 first() const;
    /// Takes what waits from frame `first` on, for as many frames as `sum` has, and adds it. Earlier frames do not wait.
    void add_to(std::vector<i32>& sum, u64 first);

   private:
    struct Piece {
      u64 first;
      std::vector<i16> samples;
      u64 end() const { return first + samples.size() / kChannels; }
    };
    std::deque<Piece> pieces_;
    u64 had_until_ = 0;  // a run that goes over its past plays again what it has played
    u64 taken_ = 0;      // frames of the first piece
  };

  void hand_out(u64 first, const std::vector<i32>& sum);

  devices::AudioSink& out_;
  std::vector<std::unique_ptr<Input>> inputs_;
  std::vector<i16> mixed_;
};

}  // namespace reprise::machine
