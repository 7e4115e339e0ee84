// The PC's speaker, as it is heard: the output of the 8254's channel 2, where bit 1 of port 61h lets it through. It has no
// state that the guest could see: it looks at copies of the channel, so a run with a listener is the run without one.
//
// Each frame has the share of the time for which the line was high, which makes programs heard that move the line much
// faster than any sound (pulse width modulation). A high pass of 60 Hz takes the constant part away, as the speaker's
// membrane does; where that leaves nothing there is silence, and no frames.
#pragma once

#include <vector>

#include "common/ports.h"
#include "devices/sound/audio_sink.h"
#include "devices/timer/pit8254.h"

namespace reprise::devices {

class PcSpeaker final : public Pit8254::SpeakerListener {
 public:
  /// Both outlive it.
  PcSpeaker(Clock& clock, AudioSink& sink) : clock_(clock), sink_(sink) {}

  /// Hands over all that was heard up to now.
  void play();
  /// The sink will get nothing ahead of this frame any more.
  u64 heard_until() const { return static_cast<u64>(frame_); }

  // SpeakerListener
  void speaker_changed(const PitChannel& channel, bool enabled) override;

 private:
  void render(i64 to_clock);
  /// For how many of the clocks from `from` to `to` the line is high.
  i64 high_clocks(i64 from, i64 to);
  /// The line does not change before `to`.
  bool constant(i64 from, i64 to);
  bool still(i64 to_clock);
  void end_frame(i64 clocks);
  void hand_over();

  Clock& clock_;
  AudioSink& sink_;
  PitChannel channel_;
  bool enabled_ = false;

  i64 rendered_ = 0;  // up to this clock of the 8254
  i64 frame_ = 0;     // the one that is being made
  i64 high_ = 0;      // clocks of it so far
  i32 input_ = 0;     // of the high pass, one frame ago
  i32 output_ = 0;
  std::vector<i16> samples_;  // not handed over yet; end before frame_
};

}  // namespace reprise::devices
