#include "frontend/output/sound_ring.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "frontend/output/sdl_sound.h"

namespace reprise::frontend {
namespace {

constexpr u64 kLead = SoundRing::kLeadFrames;

std::vector<i16> counting(u64 first, u64 frames) {
  std::vector<i16> samples;
  for (u64 i = 0; i < frames; ++i)
    for (const int sign : {1, -1})
      samples.push_back(static_cast<i16>(sign * static_cast<int>(1 + (first + i) % 30'000)));
  return samples;
}

/// The frame's number in both channels together.
std::vector<i16> numbered(u64 first, u64 frames) {
  std::vector<i16> samples;
  for (u64 frame = first + 1; frame <= first + frames; ++frame)
    samples.insert(samples.end(), {static_cast<i16>(frame % 30'000), static_cast<i16>(frame / 30'000)});
  return samples;
}

std::vector<i16> pulled(SoundRing& ring, u64 frames) {
  std::vector<i16> samples(frames * SoundRing::kChannels, i16{77});
  ring.pull(samples);
  return samples;
}

TEST(SoundRing, WhatIsPushedIsPulledBehindALead) {
  SoundRing ring;
  EXPECT_EQ(pulled(ring, 10), std::vector<i16>(20)) << "silence";
  ring.push(5'000'000, counting(0, 100));
  ring.push(5'000'100, counting(100, 100));
  EXPECT_EQ(pulled(ring, kLead), std::vector<i16>(2 * kLead));
  EXPECT_EQ(pulled(ring, 150), counting(0, 150));
  std::vector<i16> rest = counting(150, 50);
  rest.resize(200);
  EXPECT_EQ(pulled(ring, 100), rest);
}

TEST(SoundRing, SilenceBetweenPiecesIsAsLongAsItWas) {
  SoundRing ring;
  ring.push(1000, counting(0, 10));
  ring.push(1500, counting(10, 10));
  pulled(ring, kLead + 10);
  EXPECT_EQ(pulled(ring, 490), std::vector<i16>(980));
  EXPECT_EQ(pulled(ring, 10), counting(10, 10));
  ring.push(u64{1} << 40, counting(0, 10));
  EXPECT_EQ(ring.waiting(), kLead + 10) << "the ring was empty";
  ring.push(u64{1} << 50, counting(0, 10));
  EXPECT_EQ(ring.waiting(), SoundRing::kMostFrames);
}

TEST(SoundRing, WhatHasNoRoomIsDropped) {
  SoundRing ring;
  const u64 room = SoundRing::kMostFrames - kLead;
  ring.push(0, counting(0, room - 5));
  ring.push(room - 5, counting(room - 5, 1000));
  EXPECT_EQ(ring.waiting(), SoundRing::kMostFrames);
  ring.push(room + 995, counting(0, 1000));
  pulled(ring, kLead);
  EXPECT_EQ(pulled(ring, room), counting(0, room));
  EXPECT_EQ(ring.waiting(), 0u);
}

TEST(SoundRing, BothSidesAtOnce) {
  SoundRing ring;
  constexpr u64 kFrames = 2'000'000;
  std::atomic<bool> done = false;
  u64 wrong = 0, heard = 0;
  std::thread host([&] {
    int before = 0;
    while (!done.load() || ring.waiting() != 0) {
      const std::vector<i16> samples = pulled(ring, 333);
      for (std::size_t i = 0; i < samples.size(); i += 2) {
        const int frame = samples[i] + 30'000 * samples[i + 1];
        if (frame == 0) continue;
        // Some are dropped, none comes twice or out of order.
        if (frame <= before) ++wrong;
        before = frame;
        ++heard;
      }
    }
  });
  for (u64 frame = 0; frame < kFrames; frame += 240) ring.push(frame, numbered(frame, 240));
  done = true;
  host.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(heard, 0u);
}

TEST(SdlSound, PlaysOnADeviceThatDoesNothing) {
  setenv("SDL_AUDIODRIVER", "dummy", 1);
  auto sound = open_sdl_sound();
  if (!sound) {
    EXPECT_NE(sound.error().message.find("built without SDL 2"), std::string::npos) << sound.error().message;
    return;
  }
  for (u64 frame = 0; frame < 480'000; frame += 240) sound.value()->play(frame, counting(frame, 240));
  sound.value().reset();
  setenv("SDL_AUDIODRIVER", "nonsense", 1);
  sound = open_sdl_sound();
  unsetenv("SDL_AUDIODRIVER");
  ASSERT_FALSE(sound);
  EXPECT_NE(sound.error().message.find("--sound sdl: there is no audio device"), std::string::npos)
      << sound.error().message;
}

}  // namespace
}  // namespace reprise::frontend
