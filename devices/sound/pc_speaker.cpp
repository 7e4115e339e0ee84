#include "devices/sound/pc_speaker.h"

#include <algorithm>

#include "devices/timer_state.h"

namespace reprise::devices {
namespace {

constexpr i64 kFrames = static_cast<i64>(AudioSink::kFramesPerSecond);
constexpr i64 kHz = static_cast<i64>(kPitHz);

/// The clock with which `frame` begins, and the frame that a clock falls into.
i64 begin_of(i64 frame) { return static_cast<i64>((i128{frame} * kHz + kFrames - 1) / kFrames); }
i64 frame_at(i64 clock) { return static_cast<i64>(i128{clock} * kFrames / kHz); }

/// What the high pass gets for a frame of `clocks` with the line high for `high` of them.
i32 input_of(i64 high, i64 clocks) {
  constexpr i64 kLoud = 24'000;
  return static_cast<i32>(high * kLoud / clocks);
}

}  // namespace

void PcSpeaker::play() { render(static_cast<i64>(ns_to_clocks(clock_.now_ns(), kPitHz))); }

void PcSpeaker::speaker_changed(const PitChannel& channel, bool enabled) {
  play();
  channel_ = channel;
  enabled_ = enabled;
}

bool PcSpeaker::constant(i64 from, i64 to) { return !enabled_ || channel_.next_edge(from) >= to; }

i64 PcSpeaker::high_clocks(i64 from, i64 to) {
  if (!enabled_) return 0;
  i64 high = 0;
  while (from < to) {
    const bool level = channel_.out(from);
    const i64 until = std::min(channel_.next_edge(from), to);
    if (level) high += until - from;
    from = until;
  }
  return high;
}

void PcSpeaker::end_frame(i64 clocks) {
  constexpr i32 kDecay = 128;  // frames: 60 Hz
  const i32 input = input_of(high_, clocks);
  const i32 lost = output_ > 0 ? (output_ + kDecay - 1) / kDecay : (output_ - kDecay + 1) / kDecay;
  output_ = std::clamp(output_ - lost + input - input_, i32{INT16_MIN}, i32{INT16_MAX});
  input_ = input;
  if (output_ == 0) hand_over();  // silence has no frames, so pieces cut anywhere give the same
  for (unsigned channel = 0; output_ != 0 && channel < AudioSink::kChannels; ++channel)
    samples_.push_back(static_cast<i16>(output_));
  ++frame_;
  high_ = 0;
}

/// Nothing moves from the beginning of the frame that is being made up to `to_clock`, and nothing is heard.
bool PcSpeaker::still(i64 to_clock) {
  const i64 begin = begin_of(frame_);
  const i64 clocks = begin_of(frame_ + 1) - begin;
  return rendered_ == begin && output_ == 0 && constant(begin, to_clock) &&
         input_of(high_clocks(begin, begin + clocks), clocks) == input_;
}

void PcSpeaker::hand_over() {
  if (samples_.empty()) return;
  sink_.play(static_cast<u64>(frame_) - samples_.size() / AudioSink::kChannels, samples_);
  samples_.clear();
}

void PcSpeaker::render(i64 to_clock) {
  constexpr std::size_t kMostSamples = 8192;
  while (rendered_ < to_clock) {
    const i64 begin = begin_of(frame_);
    const i64 end = begin_of(frame_ + 1);
    if (to_clock >= end && still(to_clock)) {
      hand_over();
      frame_ = frame_at(to_clock);
      rendered_ = begin_of(frame_);
      high_ = 0;
      continue;
    }
    const i64 until = std::min(to_clock, end);
    high_ += high_clocks(rendered_, until);
    rendered_ = until;
    if (until == end) end_frame(end - begin);
    if (samples_.size() >= kMostSamples) hand_over();
  }
  hand_over();
}

}  // namespace reprise::devices
