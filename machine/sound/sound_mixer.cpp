#include "machine/sound/sound_mixer.h"

#include <algorithm>
#include <limits>

namespace reprise::machine {
namespace {

constexpr unsigned kChannels = devices::AudioSink::kChannels;
constexpr u64 kNone = ~u64{0};

i16 clipped(i32 sample) {
  return static_cast<i16>(
      std::clamp<i32>(sample, std::numeric_limits<i16>::min(), std::numeric_limits<i16>::max()));
}

}  // namespace

void SoundMixer::Input::play(u64 first, std::span<const i16> samples) {
  if (first < had_until_) {
    const u64 had = std::min<u64>(had_until_ - first, samples.size() / kChannels);
    samples = samples.subspan(had * kChannels);
    first += had;
  }
  if (samples.empty()) return;
  pieces_.push_back({first, {samples.begin(), samples.end()}});
  had_until_ = pieces_.back().end();
}

u64 SoundMixer::Input::first() const { return pieces_.empty() ? kNone : pieces_.front().first + taken_; }

void SoundMixer::Input::add_to(std::vector<i32>& sum, u64 first) {
  const u64 end = first + sum.size() / kChannels;
  while (!pieces_.empty() && this->first() < end) {
    const Piece& piece = pieces_.front();
    const u64 from = this->first();
    const u64 until = std::min(end, piece.end());
    for (u64 i = 0; i < (until - from) * kChannels; ++i)
      sum[(from - first) * kChannels + i] += piece.samples[taken_ * kChannels + i];
    taken_ += until - from;
    if (until != piece.end()) return;
    pieces_.pop_front();
    taken_ = 0;
  }
}

devices::AudioSink& SoundMixer::add_input() {
  inputs_.push_back(std::make_unique<Input>());
  return *inputs_.back();
}

void SoundMixer::pass_on(u64 frame) {
  constexpr u64 kMostFrames = 1024;
  std::vector<i32> sum;
  while (true) {
    u64 first = kNone;
    for (const auto& input : inputs_) first = std::min(first, input->first());
    if (first >= frame) return;
    sum.assign(std::min(frame - first, kMostFrames) * kChannels, 0);
    for (const auto& input : inputs_) input->add_to(sum, first);
    hand_out(first, sum);
  }
}

void SoundMixer::hand_out(u64 first, const std::vector<i32>& sum) {
  const u64 frames = sum.size() / kChannels;
  mixed_.clear();
  for (u64 i = 0; i <= frames; ++i) {
    const bool heard = i < frames && (sum[i * kChannels] != 0 || sum[i * kChannels + 1] != 0);
    if (heard) {
      for (unsigned channel = 0; channel < kChannels; ++channel)
        mixed_.push_back(clipped(sum[i * kChannels + channel]));
    } else if (!mixed_.empty()) {
      out_.play(first + i - mixed_.size() / kChannels, mixed_);
      mixed_.clear();
    }
  }
}

}  // namespace reprise::machine
