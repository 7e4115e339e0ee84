// What is heard of channel 2 and port 61h, and that listening changes nothing.
#include "devices/sound/pc_speaker.h"

#include <algorithm>
#include <cstdlib>

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

struct Heard final : AudioSink {
  std::vector<i16> left;  // silence too
  u64 calls = 0;
  void play(u64 first, std::span<const i16> samples) override {
    ASSERT_GE(first, left.size()) << "time does not go back";
    ASSERT_EQ(samples.size() % kChannels, 0u);
    ++calls;
    left.resize(first);
    for (std::size_t i = 0; i < samples.size(); i += kChannels) {
      ASSERT_EQ(samples[i], samples[i + 1]);
      left.push_back(samples[i]);
    }
  }
  unsigned rises() const {
    unsigned count = 0;
    for (std::size_t i = 1; i < left.size(); ++i) count += left[i - 1] <= 0 && left[i] > 0;
    return count;
  }
};

struct Board {
  explicit Board(bool listens = true) {
    if (listens) pit.on_speaker(&speaker);
  }
  void tone(u32 count) {
    out8(pit.counter_ports(), 3, 0xb6);
    out8(pit.counter_ports(), 2, count & 0xff);
    out8(pit.counter_ports(), 2, count >> 8);
  }
  void port61(u8 value) { out8(pit.port61(), 0, value); }

  FakeClock clock;
  FakeWires wires;
  Heard heard;
  Pit8254 pit{clock, wires.line(0)};
  PcSpeaker speaker{clock, heard};
};

constexpr u64 kSecond = 1'000'000'000;

TEST(PcSpeaker, AToneHasItsPitchAndItsTime) {
  Board board;
  board.clock.step(2 * kSecond);
  board.tone(1193);  // 1000 Hz
  board.port61(3);
  board.clock.step(kSecond);
  board.port61(0);
  board.clock.step(5 * kSecond);
  board.speaker.play();
  EXPECT_NEAR(board.heard.rises(), 1000, 2);
  const auto& left = board.heard.left;
  const auto first = std::ranges::find_if(left, [](i16 sample) { return sample != 0; }) - left.begin();
  EXPECT_NEAR(static_cast<double>(first), 96'000, 2);
  EXPECT_NEAR(static_cast<double>(left.size()), 144'000, 3'000) << "silence behind it has no frames";
  EXPECT_LE(std::abs(left.back()), 2) << "the membrane comes to rest";
  EXPECT_NEAR(std::abs(left.at(120'000)), 12'000, 3'000) << "it swings around zero";
}

TEST(PcSpeaker, WhereItIsCutIsNotHeard) {
  Board whole, pieces;
  for (Board* board : {&whole, &pieces}) {
    u32 pitch = 300;
    for (int note = 0; note < 50; ++note, pitch += 77) {
      board->tone(pitch);
      board->port61(note % 7 == 6 ? 1 : 3);
      for (int i = 0; i < 30; ++i) {
        board->clock.step(1'234'567);
        if (board == &pieces) board->speaker.play();
      }
    }
    board->port61(0);
    board->clock.step(kSecond);
    board->speaker.play();
  }
  EXPECT_GT(pieces.heard.calls, whole.heard.calls);
  EXPECT_EQ(pieces.heard.left, whole.heard.left);
}

TEST(PcSpeaker, TheLineItselfIsHeard) {
  Board board;
  board.tone(1000);
  // The gate is shut: OUT stays high, and bit 1 alone makes the sound.
  for (int i = 0; i < 880; ++i) {
    board.port61(i % 2 == 0 ? 2 : 0);
    board.clock.step(kSecond / 880);
  }
  board.speaker.play();
  EXPECT_NEAR(board.heard.rises(), 440, 2);
}

TEST(PcSpeaker, AConstantLineIsSilent) {
  Board board;
  board.tone(1000);
  board.port61(2);
  board.clock.step(3'600 * kSecond);
  board.speaker.play();
  EXPECT_LT(board.heard.left.size(), 3'000u) << "a click, and then nothing";
}

TEST(PcSpeaker, WhatIsTooHighToBeHeardIsHardlyHeard) {
  Board board;
  board.tone(2);
  board.port61(3);
  board.clock.step(kSecond / 4);
  board.speaker.play();
  for (std::size_t i = 3'000; i < board.heard.left.size(); ++i)
    ASSERT_LT(std::abs(board.heard.left[i]), 700) << "a frame has 24 or 25 clocks: " << i;
}

TEST(PcSpeaker, ListeningChangesNothing) {
  Board with, without(false);
  Noise one(61), other(61);
  for (const auto& [board, noise] : {std::pair{&with, &one}, {&without, &other}}) {
    for (int i = 0; i < 20'000; ++i) {
      switch (noise->below(4)) {
        case 0: board->clock.step(noise->below(3'000'000)); break;
        case 1: out8(board->pit.port61(), 0, noise->next()); break;
        case 2: out8(board->pit.counter_ports(), 3, 0x80 | (noise->next() & 0x3f)); break;
        default: out8(board->pit.counter_ports(), 2, noise->next());
      }
      if (board == &with && i % 3 == 0) board->speaker.play();
    }
  }
  EXPECT_EQ(saved(with.pit), saved(without.pit));
}

}  // namespace
}  // namespace reprise::devices
