#include "machine/sound/sound_mixer.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace reprise::machine {
namespace {

struct Heard final : devices::AudioSink {
  std::map<u64, std::pair<i16, i16>> frames;
  u64 next = 0;
  u64 calls = 0;
  void play(u64 first, std::span<const i16> samples) override {
    EXPECT_GE(first, next) << "time does not go back";
    next = first + samples.size() / kChannels;
    ++calls;
    for (u64 i = 0; i < samples.size() / kChannels; ++i) {
      EXPECT_TRUE(samples[2 * i] != 0 || samples[2 * i + 1] != 0) << "silence has no frames";
      frames[first + i] = {samples[2 * i], samples[2 * i + 1]};
    }
  }
};

std::vector<i16> of(u64 frames, i16 left, i16 right) {
  std::vector<i16> samples;
  for (u64 i = 0; i < frames; ++i) samples.insert(samples.end(), {left, right});
  return samples;
}

TEST(SoundMixer, AddsUpWhatOverlaps) {
  Heard heard;
  SoundMixer mixer(heard);
  devices::AudioSink& one = mixer.add_input();
  devices::AudioSink& two = mixer.add_input();
  two.play(100, of(10, 30'000, -7));
  one.play(95, of(10, 10'000, -3));
  mixer.pass_on(103);
  EXPECT_EQ(heard.frames.size(), 8u);
  mixer.pass_on(1'000'000'000'000);
  ASSERT_EQ(heard.frames.size(), 15u);
  EXPECT_EQ(heard.frames[99], std::pair(i16{10'000}, i16{-3}));
  EXPECT_EQ(heard.frames[100], std::pair(i16{32'767}, i16{-10})) << "clipped";
  EXPECT_EQ(heard.frames[105], std::pair(i16{30'000}, i16{-7}));
}

TEST(SoundMixer, SilenceIsNotPassedOn) {
  Heard heard;
  SoundMixer mixer(heard);
  devices::AudioSink& one = mixer.add_input();
  devices::AudioSink& two = mixer.add_input();
  one.play(0, of(50'000, 0, 0));
  one.play(50'000, of(5, 7, 7));
  two.play(50'002, of(2, -7, -7));
  mixer.pass_on(60'000);
  EXPECT_EQ(heard.frames.size(), 3u);
  EXPECT_TRUE(heard.frames.contains(50'004));
  EXPECT_EQ(heard.calls, 2u);
}

TEST(SoundMixer, WhereItIsCutIsNotHeard) {
  std::mt19937 random(31);
  Heard heard[2];
  for (Heard& each : heard) {
    SoundMixer mixer(each);
    devices::AudioSink* inputs[] = {&mixer.add_input(), &mixer.add_input()};
    u64 frame = 0;
    u64 done[2] = {};
    for (; frame < 100'000; frame += random() % 3000) {
      for (u64 i = 0; i < 2; ++i) {
        // What an input plays depends on the frame alone.
        std::vector<i16> samples;
        for (u64 at = done[i]; at < frame; ++at)
          for (const i16 scale : {i16{1}, i16{-1}})
            samples.push_back(
                static_cast<i16>(at % 5000 < 3000 ? scale * static_cast<i16>(at * (i + 3) % 30'000) : 0));
        inputs[i]->play(done[i], samples);
        done[i] = frame;
      }
      if (random() % 2 == 0) mixer.pass_on(frame);
    }
    mixer.pass_on(90'000);
  }
  EXPECT_GT(heard[0].frames.size(), 40'000u);
  std::erase_if(heard[0].frames, [](const auto& frame) { return frame.first >= 90'000; });
  std::erase_if(heard[1].frames, [](const auto& frame) { return frame.first >= 90'000; });
  EXPECT_EQ(heard[0].frames, heard[1].frames);
}

}  // namespace
}  // namespace reprise::machine
