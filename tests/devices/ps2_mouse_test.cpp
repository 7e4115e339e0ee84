// The mouse on its own wire: every command, all three protocols, sampling.
#include "devices/input/ps2_mouse.h"

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;
using Bytes = std::vector<int>;
using Motion = PointerChange::Motion;

constexpr u64 kMs = 1'000'000;

struct Board {
  FakeClock clock;
  Ps2Mouse mouse{clock, [] {}};

  Bytes sent() {
    Bytes bytes;
    while (mouse.has_output()) bytes.push_back(mouse.take());
    return bytes;
  }
  Bytes say(std::initializer_list<int> bytes) {
    Bytes answers;
    for (const int byte : bytes) {
      mouse.write(static_cast<u8>(byte));
      for (const int answer : sent()) answers.push_back(answer);
    }
    return answers;
  }
  void move(i32 x, i32 y, i32 wheel = 0, u8 buttons = 0) {
    mouse.change({.motion = Motion::Relative, .x = x, .y = y, .wheel = wheel, .buttons = buttons});
  }
  /// All reports of the next second.
  std::vector<Bytes> reports() {
    std::vector<Bytes> all;
    for (int i = 0; i < 1000; ++i) {
      if (mouse.has_output()) all.push_back(sent());
      clock.step(kMs);
    }
    return all;
  }
};

struct Ps2MouseTest : ::testing::Test, Board {};

TEST_F(Ps2MouseTest, EveryCommandIsAnswered) {
  EXPECT_EQ(say({0xff}), (Bytes{0xfa, 0xaa, 0x00}));
  EXPECT_EQ(say({0xfe}), (Bytes{0x00})) << "the last byte again";
  EXPECT_EQ(say({0xf2}), (Bytes{0xfa, 0x00}));
  EXPECT_EQ(say({0xe9}), (Bytes{0xfa, 0x00, 0x02, 100}));
  EXPECT_EQ(say({0xe7, 0xe8, 0x03, 0xf3, 40, 0xf4, 0xf0, 0xe9}),
            (Bytes{0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0x70, 0x03, 40}));
  EXPECT_EQ(say({0xea, 0xe6, 0xf5, 0xe9}), (Bytes{0xfa, 0xfa, 0xfa, 0xfa, 0x00, 0x03, 40}));
  EXPECT_EQ(say({0xe7, 0xf6, 0xe9}), (Bytes{0xfa, 0xfa, 0xfa, 0x00, 0x02, 100}));
  EXPECT_EQ(say({0xee, 0xf2, 0x55, 0xec, 0xf2}), (Bytes{0xfa, 0xf2, 0x55, 0xfa, 0xfa, 0x00})) << "wrap mode";
  EXPECT_EQ(say({0xee, 0xff}), (Bytes{0xfa, 0xfa, 0xaa, 0x00}));
  EXPECT_EQ(say({0xe1, 0xe1, 0xe1}), (Bytes{0xfe, 0xfc, 0xfe})) << "again, please; error";
  EXPECT_EQ(say({0xf2, 0xe8, 0x04, 0xf3, 33}), (Bytes{0xfa, 0x00, 0xfa, 0xfe, 0xfa, 0xfe}));
  EXPECT_EQ(say({0xf3, 0xf2}), (Bytes{0xfa, 0xfa, 0x00})) << "a command instead of the parameter";
}

TEST_F(Ps2MouseTest, ReportsOfThreeBytes) {
  move(1, 1);
  EXPECT_TRUE(reports().empty()) << "nobody wants them";
  say({0xf4});
  move(5, -3, 2, pointer_buttons::kLeft | pointer_buttons::kMiddle | pointer_buttons::kSide);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x0d, 0x05, 0x03}}));
  move(-5, 3);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x38, 0xfb, 0xfd}}));
  EXPECT_TRUE(reports().empty()) << "nothing has changed";
  move(600, 0);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x08, 0xff, 0x00}, {0x08, 0xff, 0x00}, {0x08, 0x5a, 0x00}}));
  move(-256, 256);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x38, 0x01, 0x01}, {0x38, 0xff, 0xff}})) << "no byte is 0";
  say({0xf5});
  move(1, 1);
  say({0xf4});
  EXPECT_TRUE(reports().empty());
}

TEST_F(Ps2MouseTest, MovementAddsUpBetweenSamples) {
  for (const int rate : {10, 100, 200}) {
    say({0xf3, rate, 0xf4});
    std::size_t count = 0, counts = 0;
    for (int i = 0; i < 1000; ++i) {
      move(1, 0);
      clock.step(kMs);
      if (const Bytes report = sent(); !report.empty()) {
        ++count;
        counts += static_cast<std::size_t>(report.at(1));
      }
    }
    EXPECT_NEAR(static_cast<double>(count), rate, 1);
    EXPECT_NEAR(static_cast<double>(counts), 1000, 1000 / rate + 1);
    clock.step(1000 * kMs);
    sent();
  }
}

TEST_F(Ps2MouseTest, WheelAndFiveButtons) {
  EXPECT_EQ(say({0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf2}),
            (Bytes{0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 3}));
  say({0xf4});
  move(1, 0, 1);
  move(1, 0, 1, pointer_buttons::kSide);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x08, 0x02, 0x00, 0xfe}})) << "up is negative";
  EXPECT_TRUE(mouse.has_room());
  move(0, 0, -20);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x08, 0, 0, 7}, {0x08, 0, 0, 7}, {0x08, 0, 0, 6}}));
  EXPECT_EQ(say({0xf5, 0xf3, 200, 0xf3, 200, 0xf3, 80, 0xf2}),
            (Bytes{0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 4}));
  say({0xf4});
  move(0, 0, 1, pointer_buttons::kSide);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x08, 0, 0, 0x1f}}));
  move(0, 0, 0, pointer_buttons::kExtra | pointer_buttons::kRight);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x0a, 0, 0, 0x20}}));
  EXPECT_EQ(say({0xff, 0xf2}), (Bytes{0xfa, 0xaa, 0x00, 0xfa, 0x00}));
}

TEST_F(Ps2MouseTest, AClickIsSeenAsOne) {
  say({0xf4});
  move(0, 0, 0, pointer_buttons::kLeft);
  EXPECT_FALSE(mouse.has_room());
  clock.step(10 * kMs);
  EXPECT_TRUE(mouse.has_room());
  move(0, 0, 0, 0);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x09, 0, 0}, {0x08, 0, 0}}));
}

TEST_F(Ps2MouseTest, AButtonIsNotToldBeforeTheWayToWhereItIsPressed) {
  say({0xf4});
  move(600, 0);
  EXPECT_FALSE(mouse.has_room());
  clock.step(10 * kMs);
  sent();
  EXPECT_FALSE(mouse.has_room());
  clock.step(10 * kMs);
  sent();
  EXPECT_TRUE(mouse.has_room()) << "what is left comes with the button";
  move(0, 0, 0, pointer_buttons::kLeft);
  EXPECT_EQ(reports(), (std::vector<Bytes>{{0x09, 0x5a, 0x00}}));
  move(0, -300, 0, pointer_buttons::kLeft);
  EXPECT_FALSE(mouse.has_room());
  say({0xf5});
  EXPECT_TRUE(mouse.has_room()) << "nobody wants to know";
}

TEST_F(Ps2MouseTest, RemoteMode) {
  say({0xf0});
  move(7, 0);
  EXPECT_TRUE(reports().empty());
  EXPECT_EQ(say({0xeb, 0xeb}), (Bytes{0xfa, 0x08, 7, 0, 0xfa, 0x08, 0, 0}));
  say({0xe7});
  move(7, 0);
  EXPECT_EQ(say({0xeb}), (Bytes{0xfa, 0x08, 7, 0})) << "scaling is for stream mode";
  say({0xea, 0xf4});
  move(1, 0);
  EXPECT_EQ(reports().size(), 1u);
}

TEST_F(Ps2MouseTest, ScalingTwoToOne) {
  say({0xe7, 0xf4});
  constexpr std::pair<int, int> kScaled[] = {{0, 0}, {1, 1}, {2, 1},  {3, 3},
                                             {4, 6}, {5, 9}, {6, 12}, {100, 200}};
  for (const auto& [counts, shown] : kScaled) {
    move(counts, counts, 0, counts % 2 == 0 ? 1 : 0);
    const auto seen = reports();
    ASSERT_EQ(seen.size(), 1u) << counts;
    EXPECT_EQ(seen[0].at(1), shown);
    EXPECT_EQ(seen[0].at(2), -shown & 0xff);
  }
}

TEST_F(Ps2MouseTest, RoundTripInTheMiddle) {
  say({0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4, 0xf3});
  move(300, 0, 0, 1);
  clock.step(kMs);
  mouse.take();
  move(5, 0, 1);
  Archive archive;
  mouse.serialize(archive);
  Board other;
  other.clock.run_until(clock.now_ns());
  Archive load(archive.bytes());
  other.mouse.serialize(load);
  ASSERT_TRUE(load.ok() && load.at_end());
  for (Board* board : {static_cast<Board*>(this), &other}) {
    EXPECT_EQ(board->reports(), (std::vector<Bytes>{{0xff, 0, 0}, {0x08, 50, 0, 0xff}}));
    EXPECT_EQ(board->say({40}), (Bytes{0xfa})) << "the parameter of the command before";
  }
}

}  // namespace
}  // namespace reprise::devices
