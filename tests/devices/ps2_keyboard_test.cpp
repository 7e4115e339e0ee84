// The keyboard on its own wire: every command, all three scan code sets, repeat.
#include "devices/input/ps2_keyboard.h"

#include <algorithm>

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;
using Bytes = std::vector<int>;

constexpr u64 kMs = 1'000'000;

struct Board {
  FakeClock clock;
  int told = 0;
  Ps2Keyboard keyboard{clock, [this] { ++told; }};

  Bytes sent() {
    Bytes bytes;
    while (keyboard.has_output()) bytes.push_back(keyboard.take());
    return bytes;
  }
  Bytes say(std::initializer_list<int> bytes) {
    for (const int byte : bytes) keyboard.write(static_cast<u8>(byte));
    return sent();
  }
  void press(std::string_view name) { keyboard.press(find_key(name)->key, true); }
  void release(std::string_view name) { keyboard.press(find_key(name)->key, false); }
  Bytes tap(std::string_view name) {
    press(name);
    release(name);
    return sent();
  }
};

struct Ps2KeyboardTest : ::testing::Test, Board {};

TEST_F(Ps2KeyboardTest, EveryCommandIsAnswered) {
  EXPECT_EQ(say({0xff}), (Bytes{0xfa, 0xaa}));
  EXPECT_EQ(say({0xf2}), (Bytes{0xfa, 0xab, 0x83}));
  EXPECT_EQ(say({0xee}), (Bytes{0xee}));
  EXPECT_EQ(say({0xfe}), (Bytes{0xee})) << "the last byte again";
  EXPECT_EQ(say({0xed, 0x05}), (Bytes{0xfa, 0xfa}));
  EXPECT_EQ(keyboard.leds(), 5);
  EXPECT_EQ(say({0xf3, 0x00}), (Bytes{0xfa, 0xfa}));
  EXPECT_EQ(say({0xf0, 0x00}), (Bytes{0xfa, 0xfa, 0x02}));
  EXPECT_EQ(say({0xf0, 0x01}), (Bytes{0xfa, 0xfa}));
  EXPECT_EQ(say({0xf0, 0x00}), (Bytes{0xfa, 0xfa, 0x01}));
  EXPECT_EQ(say({0xf0, 0x04}), (Bytes{0xfa, 0xfe})) << "there is no such set";
  EXPECT_EQ(say({0xf6}), (Bytes{0xfa}));
  EXPECT_EQ(say({0xf0, 0x00}), (Bytes{0xfa, 0xfa, 0x02})) << "defaults";
  for (const int command : {0xf7, 0xf8, 0xf9, 0xfa, 0xf4})
    EXPECT_EQ(say({command}), (Bytes{0xfa})) << command;
  for (const int command : {0xfb, 0xfc, 0xfd})
    EXPECT_EQ(say({command, 0x1c, 0x32}), (Bytes{0xfa, 0xfa, 0xfa}));
  for (const int unknown : {0xef, 0xf1, 0x00, 0x80})
    EXPECT_EQ(say({0xf4, unknown}), (Bytes{0xfa, 0xfe})) << unknown;
  EXPECT_EQ(say({0xed, 0xf2}), (Bytes{0xfa, 0xfa, 0xab, 0x83})) << "a command instead of the parameter";
}

TEST_F(Ps2KeyboardTest, EveryKeyInEverySet) {
  for (const KeyRow& row : key_rows()) {
    if (row.key == Key::Print || row.key == Key::Pause) continue;
    const auto expected = [](u16 code, bool set1) {
      Bytes bytes;
      for (const bool down : {true, false}) {
        if (code >> 8 != 0) bytes.push_back(code >> 8);
        if (!down && !set1) bytes.push_back(0xf0);
        bytes.push_back((code & 0xff) | (!down && set1 ? 0x80 : 0));
      }
      return bytes;
    };
    say({0xf0, 0x01});
    EXPECT_EQ(tap(row.name), expected(row.set1, true)) << row.name;
    say({0xf0, 0x02});
    EXPECT_EQ(tap(row.name), expected(row.set2, false)) << row.name;
    say({0xf0, 0x03, 0xfa});
    EXPECT_EQ(tap(row.name), row.set3 == 0 ? Bytes{} : expected(row.set3, false)) << row.name;
  }
}

TEST_F(Ps2KeyboardTest, PrintAndPause) {
  EXPECT_EQ(tap("print"), (Bytes{0xe0, 0x12, 0xe0, 0x7c, 0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12}));
  EXPECT_EQ(tap("pause"), (Bytes{0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77}));
  press("ctrl");
  sent();
  EXPECT_EQ(tap("print"), (Bytes{0xe0, 0x7c, 0xe0, 0xf0, 0x7c}));
  EXPECT_EQ(tap("pause"), (Bytes{0xe0, 0x7e, 0xe0, 0xf0, 0x7e}));
  release("ctrl");
  press("alt");
  sent();
  press("sysrq");
  release("alt");
  release("print");
  EXPECT_EQ(sent(), (Bytes{0x84, 0xf0, 0x11, 0xf0, 0x84}));
  say({0xf0, 0x01});
  EXPECT_EQ(tap("print"), (Bytes{0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa}));
  EXPECT_EQ(tap("pause"), (Bytes{0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5}));
  say({0xf0, 0x03});
  EXPECT_EQ(tap("print"), (Bytes{0x57}));
  EXPECT_EQ(tap("pause"), (Bytes{0x62}));
}

// IBM: "keys that were added to the layout come inside a Shift, or outside of the one that is held".
TEST_F(Ps2KeyboardTest, ShiftsAroundGreyKeys) {
  press("shift_r");
  EXPECT_EQ(sent(), (Bytes{0x59}));
  EXPECT_EQ(tap("home"), (Bytes{0xe0, 0xf0, 0x59, 0xe0, 0x6c, 0xe0, 0xf0, 0x6c, 0xe0, 0x59}));
  EXPECT_EQ(tap("kp_divide"), (Bytes{0xe0, 0xf0, 0x59, 0xe0, 0x4a, 0xe0, 0xf0, 0x4a, 0xe0, 0x59}));
  EXPECT_EQ(tap("a"), (Bytes{0x1c, 0xf0, 0x1c}));
  say({0xed, 0x02});
  EXPECT_EQ(tap("home"), (Bytes{0xe0, 0x6c, 0xe0, 0xf0, 0x6c}));
  release("shift_r");
  sent();
  EXPECT_EQ(tap("home"), (Bytes{0xe0, 0x12, 0xe0, 0x6c, 0xe0, 0xf0, 0x6c, 0xe0, 0xf0, 0x12}));
  press("up");
  sent();
  EXPECT_EQ(tap("a"), (Bytes{0xe0, 0xf0, 0x12, 0x1c, 0xf0, 0x1c})) << "the shift ends before another key";
  release("up");
  EXPECT_EQ(sent(), (Bytes{0xe0, 0xf0, 0x75}));
}

TEST_F(Ps2KeyboardTest, AKeyThatIsHeldRepeats) {
  press("a");
  EXPECT_EQ(sent(), (Bytes{0x1c}));
  clock.step(499 * kMs);
  EXPECT_EQ(sent(), Bytes{});
  clock.step(2 * kMs);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(sent(), (Bytes{0x1c})) << "after half a second";
  int repeats = 0;
  for (int i = 0; i < 1000; ++i) {
    clock.step(kMs);
    repeats += static_cast<int>(sent().size());
  }
  EXPECT_EQ(repeats, 10) << "10.9 a second";
  release("a");
  EXPECT_EQ(sent(), (Bytes{0xf0, 0x1c}));
  clock.step(2'000 * kMs);
  EXPECT_EQ(sent(), Bytes{});

  EXPECT_EQ(say({0xf3, 0x60}), (Bytes{0xfa, 0xfa}));  // after 1 s, 30 a second
  press("right");
  EXPECT_EQ(sent(), (Bytes{0xe0, 0x74}));
  clock.step(990 * kMs);
  EXPECT_EQ(sent(), Bytes{});
  clock.step(20 * kMs);
  EXPECT_EQ(sent(), (Bytes{0xe0, 0x74}));
  press("b");
  EXPECT_EQ(sent(), (Bytes{0x32}));
  clock.step(1'010 * kMs);
  EXPECT_EQ(sent(), (Bytes{0x32})) << "the last key alone";
  release("right");
  sent();
  clock.step(40 * kMs);
  EXPECT_EQ(sent(), (Bytes{0x32})) << "another one's release does not end it";
  clock.step(10'000 * kMs);
  EXPECT_EQ(sent(), (Bytes{0x32})) << "nothing piles up before a host that does not look";
  say({0xf5});
  clock.step(10'000 * kMs);
  EXPECT_EQ(sent(), Bytes{});
  say({0xf4});
  press("pause");
  sent();
  clock.step(10'000 * kMs);
  EXPECT_EQ(sent(), Bytes{}) << "Pause has no repeat";
}

TEST_F(Ps2KeyboardTest, KeyTypesOfSet3) {
  say({0xf0, 0x03});
  const auto shows = [&](std::string_view key) {
    Bytes bytes = tap(key);
    press(key);
    sent();
    clock.step(600 * kMs);
    bytes.push_back(sent().empty() ? 0 : 1);  // repeats
    release(key);
    sent();
    return bytes;
  };
  EXPECT_EQ(shows("a"), (Bytes{0x1c, 1}));
  EXPECT_EQ(shows("shift"), (Bytes{0x12, 0xf0, 0x12, 0}));
  EXPECT_EQ(shows("f1"), (Bytes{0x07, 0}));
  say({0xf7});
  EXPECT_EQ(shows("f1"), (Bytes{0x07, 1}));
  say({0xf8});
  EXPECT_EQ(shows("f1"), (Bytes{0x07, 0xf0, 0x07, 0}));
  say({0xf9});
  EXPECT_EQ(shows("shift"), (Bytes{0x12, 0}));
  say({0xfa});
  EXPECT_EQ(shows("f1"), (Bytes{0x07, 0xf0, 0x07, 1}));
  say({0xfb, 0x07, 0xfc, 0x0f, 0x1c, 0xfd, 0x32, 0xf4});
  EXPECT_EQ(shows("f1"), (Bytes{0x07, 1}));
  EXPECT_EQ(shows("f2"), (Bytes{0x0f, 0xf0, 0x0f, 0}));
  EXPECT_EQ(shows("a"), (Bytes{0x1c, 0xf0, 0x1c, 0}));
  EXPECT_EQ(shows("b"), (Bytes{0x32, 0}));
  EXPECT_EQ(shows("c"), (Bytes{0x21, 0xf0, 0x21, 1}));
  say({0xf6, 0xf0, 0x03});
  EXPECT_EQ(shows("f1"), (Bytes{0x07, 0}));
}

TEST_F(Ps2KeyboardTest, AnswersComeBetweenKeysNotInsideOne) {
  press("right");
  release("right");
  EXPECT_EQ(keyboard.take(), 0xe0);
  keyboard.write(0xee);
  EXPECT_EQ(sent(), (Bytes{0x74, 0xee, 0xe0, 0xf0, 0x74}));
}

TEST_F(Ps2KeyboardTest, ReleasesAreTheLastToBeLost) {
  for (const KeyRow& row : key_rows()) {
    if (row.set2 > 0xff || row.set3 == 0) continue;
    press(row.name);
    if (keyboard.waits_for_keys()) break;
  }
  release("esc");
  const Bytes bytes = sent();
  EXPECT_EQ(std::ranges::count(bytes, 0x00), 1) << "overrun";
  EXPECT_EQ(bytes.at(bytes.size() - 1), 0x76);
  EXPECT_EQ(bytes.at(bytes.size() - 2), 0xf0);
}

TEST_F(Ps2KeyboardTest, RoundTripInTheMiddle) {
  say({0xf0, 0x01, 0xed, 0x02, 0xfb, 0x07, 0xf3});
  press("home");
  keyboard.take();
  keyboard.write(0xf3);
  clock.step(300 * kMs);
  Archive archive;
  keyboard.serialize(archive);
  Board other;
  other.clock.run_until(clock.now_ns());
  Archive load(archive.bytes());
  other.keyboard.serialize(load);
  ASSERT_TRUE(load.ok() && load.at_end());
  for (Board* board : {static_cast<Board*>(this), &other}) {
    EXPECT_EQ(board->say({0x00}), (Bytes{0x2a, 0xfa, 0xfa, 0xe0, 0x47}));
    board->clock.step(250 * kMs);
    EXPECT_EQ(board->sent(), (Bytes{0xe0, 0x47}));
    board->release("home");
    EXPECT_EQ(board->sent(), (Bytes{0xe0, 0xc7, 0xe0, 0xaa}));
  }
}

}  // namespace
}  // namespace reprise::devices
