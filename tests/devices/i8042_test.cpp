#include "devices/input/i8042.h"

#include <algorithm>

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr unsigned kIrq1 = 1, kIrq12 = 12, kA20 = 20;

struct Board {
  FakeClock clock;
  FakeWires wires;
  FakeControl control;
  I8042 kbc{clock, wires.line(kIrq1), wires.line(kIrq12), wires.line(kA20), control};
};

class I8042Test : public ::testing::Test, protected Board {
 protected:
  u8 status() { return in8(kbc.command_port(), 0); }
  void command(u8 byte) { out8(kbc.command_port(), 0, byte); }
  void data(u8 byte) { out8(kbc.data_port(), 0, byte); }
  /// The next byte from port 60h, or -1 when none comes within 2 ms.
  int read() {
    for (int i = 0; i < 200; ++i) {
      if (status() & 1) return in8(kbc.data_port(), 0);
      clock.step(10'000);
    }
    return -1;
  }
  std::vector<int> read_all() {
    std::vector<int> bytes;
    for (int byte = read(); byte >= 0; byte = read()) bytes.push_back(byte);
    return bytes;
  }
  void press(std::string_view key) { kbc.press(find_key(key)->key, true); }
  void release(std::string_view key) { kbc.press(find_key(key)->key, false); }
  void tap(std::string_view key) {
    press(key);
    release(key);
  }
  void mouse(u8 byte) {
    command(0xd4);
    data(byte);
  }
  int ask(u8 byte) {
    command(byte);
    return read();
  }
};

TEST_F(I8042Test, AnswersComeThroughTheClock) {
  command(0xaa);
  EXPECT_EQ(status() & 1, 0);
  clock.step(1'000'000);
  EXPECT_EQ(status() & 1, 1);
  EXPECT_EQ(in8(kbc.data_port(), 0), 0x55);
  EXPECT_EQ(status() & 1, 0);
  EXPECT_EQ(in8(kbc.data_port(), 0), 0x55) << "the buffer holds its last byte";
}

TEST_F(I8042Test, TestsAndPorts) {
  EXPECT_EQ(ask(0xaa), 0x55);
  EXPECT_EQ(ask(0xab), 0x00);
  EXPECT_EQ(ask(0xa9), 0x00);
  EXPECT_EQ(ask(0xa4), 0xf1);
  EXPECT_EQ(ask(0xc0), 0xa0);
  EXPECT_EQ(ask(0xd0), 0xc3);
  EXPECT_EQ(ask(0xe0), 0x00);
  EXPECT_EQ(status() & 0x1c, 0x1c) << "unlocked, command written last, system flag";
  data(0xee);
  EXPECT_EQ(status() & 0x08, 0);
}

TEST_F(I8042Test, ConfigurationByteAndMemory) {
  EXPECT_EQ(ask(0x20), 0x45);
  command(0x60);
  data(0xff);
  EXPECT_EQ(ask(0x20), 0x77);
  command(0x60);
  data(0x40);
  EXPECT_EQ(status() & 4, 0);
  command(0xa7);
  EXPECT_EQ(ask(0x20), 0x60);
  command(0xa8);
  EXPECT_EQ(ask(0x20), 0x40);
  command(0xad);
  EXPECT_EQ(ask(0x20), 0x50);
  command(0xae);
  EXPECT_EQ(ask(0x20), 0x40);
  command(0x65);
  data(0x99);
  EXPECT_EQ(ask(0x25), 0x99);
}

// What atkbd does: identify, reset, LEDs, scan code set, enable.
TEST_F(I8042Test, KeyboardProbesCleanly) {
  command(0x60);
  data(0x05);  // no translation
  data(0xff);
  EXPECT_EQ(read_all(), (std::vector<int>{0xfa, 0xaa}));
  data(0xf2);
  EXPECT_EQ(read_all(), (std::vector<int>{0xfa, 0xab, 0x83}));
  data(0xed);
  EXPECT_EQ(read(), 0xfa);
  data(0x05);
  EXPECT_EQ(read(), 0xfa);
  EXPECT_EQ(kbc.keyboard().leds(), 5);
  data(0xf3);
  EXPECT_EQ(read(), 0xfa);
  data(0x00);
  EXPECT_EQ(read(), 0xfa);
  data(0xf0);
  EXPECT_EQ(read(), 0xfa);
  data(0x00);
  EXPECT_EQ(read_all(), (std::vector<int>{0xfa, 0x02}));
  data(0xf5);
  EXPECT_EQ(read(), 0xfa);
  tap("a");
  EXPECT_EQ(read(), -1) << "scanning is off";
  data(0xf4);
  EXPECT_EQ(read(), 0xfa);
  press("a");
  EXPECT_EQ(read(), 0x1c);
  data(0xfe);
  EXPECT_EQ(read(), 0x1c) << "resend";
  data(0xee);
  EXPECT_EQ(read(), 0xee);
  data(0x80);
  EXPECT_EQ(read(), 0xfe) << "not a command";
  data(0xed);
  EXPECT_EQ(read(), 0xfa);
  data(0xf2);
  EXPECT_EQ(read_all(), (std::vector<int>{0xfa, 0xab, 0x83})) << "a command instead of the parameter";
}

TEST_F(I8042Test, TranslationToSetOne) {
  tap("a");
  EXPECT_EQ(read_all(), (std::vector<int>{0x1e, 0x9e}));
  tap("right");
  EXPECT_EQ(read_all(), (std::vector<int>{0xe0, 0x4d, 0xe0, 0xcd}));
  tap("f7");
  EXPECT_EQ(read_all(), (std::vector<int>{0x41, 0xc1}));
  data(0xf2);
  EXPECT_EQ(read_all(), (std::vector<int>{0xfa, 0xab, 0x41}));
}

TEST_F(I8042Test, KeyboardInterrupt) {
  data(0xee);
  clock.step(1'000'000);
  EXPECT_TRUE(wires.level(kIrq1));
  in8(kbc.data_port(), 0);
  EXPECT_FALSE(wires.level(kIrq1));
  command(0x60);
  data(0x44);
  data(0xee);
  clock.step(1'000'000);
  EXPECT_FALSE(wires.level(kIrq1));
  EXPECT_EQ(read(), 0xee);
}

TEST_F(I8042Test, DisabledKeyboardKeepsItsBytes) {
  command(0xad);
  tap("a");
  EXPECT_EQ(read(), -1);
  command(0xae);
  EXPECT_EQ(read(), 0x1e);
}

// i8042_check_aux of Linux: the loop test must come back marked as AUX and raise IRQ12.
TEST_F(I8042Test, AuxLoopAndTheMouse) {
  command(0x60);
  data(0x47);
  command(0xd3);
  data(0x5a);
  clock.step(1'000'000);
  EXPECT_EQ(status() & 0x61, 0x21);
  EXPECT_TRUE(wires.level(kIrq12));
  EXPECT_FALSE(wires.level(kIrq1));
  EXPECT_EQ(in8(kbc.data_port(), 0), 0x5a);
  EXPECT_FALSE(wires.level(kIrq12));
  command(0xd4);
  data(0xf2);
  clock.step(1'000'000);
  EXPECT_EQ(status() & 0x61, 0x21);
  EXPECT_TRUE(wires.level(kIrq12));
  EXPECT_EQ(in8(kbc.data_port(), 0), 0xfa);
  EXPECT_EQ(read_all(), (std::vector<int>{0x00}));
  command(0xd2);
  data(0x77);
  clock.step(1'000'000);
  EXPECT_EQ(status() & 0x21, 0x01);
  EXPECT_TRUE(wires.level(kIrq1));
  EXPECT_EQ(in8(kbc.data_port(), 0), 0x77);
}

TEST_F(I8042Test, A20AndReset) {
  command(0xdf);
  EXPECT_TRUE(wires.level(kA20));
  command(0xdd);
  EXPECT_FALSE(wires.level(kA20));
  EXPECT_EQ(ask(0xd0) & 3, 1);
  command(0xd1);
  data(0x03);
  EXPECT_TRUE(wires.level(kA20));
  EXPECT_TRUE(control.requests.empty());
  command(0xff);
  EXPECT_TRUE(control.requests.empty()) << "pulses nothing";
  command(0xfe);
  EXPECT_EQ(control.last(), MachineRequest::Reset);
  command(0xd1);
  data(0x02);
  EXPECT_EQ(control.requests.size(), 2u);
}

TEST_F(I8042Test, AnAnswerReplacesAnUnreadOne) {
  for (const u64 wait_ns : {0, 1'000'000}) {
    command(0x20);
    clock.step(wait_ns);
    command(0xaa);
    EXPECT_EQ(read_all(), (std::vector<int>{0x55})) << wait_ns;
    command(0xd3);
    data(0x5a);
    clock.step(wait_ns);
    EXPECT_EQ(wires.level(kIrq12), false);
    command(0xd0);
    clock.step(wait_ns);
    EXPECT_EQ(status() & 0x20, 0) << "of the other port";
    command(0xd2);
    data(0x77);
    clock.step(wait_ns);
    command(0xe0);
    EXPECT_EQ(read_all(), (std::vector<int>{0x00}));
  }
}

TEST_F(I8042Test, AnAnswerWaitsForAnUnreadByteOfTheKeyboard) {
  data(0xee);
  clock.step(1'000'000);
  command(0xaa);
  clock.step(1'000'000);
  command(0xe0);
  EXPECT_EQ(read_all(), (std::vector<int>{0xee, 0x00}));
}

TEST_F(I8042Test, AReplacedAnswerTakesItsInterruptAlong) {
  command(0x60);
  data(0x47);
  command(0xd3);
  data(0x5a);
  clock.step(1'000'000);
  EXPECT_TRUE(wires.level(kIrq12));
  command(0xaa);
  EXPECT_FALSE(wires.level(kIrq12));
  clock.step(1'000'000);
  EXPECT_TRUE(wires.level(kIrq1));
  EXPECT_EQ(read(), 0x55);
}

TEST_F(I8042Test, QueueIsBounded) {
  for (int i = 0; i < 1000; ++i) tap("a");
  const std::vector<int> seen = read_all();
  EXPECT_LE(seen.size(), Ps2Keyboard::kQueueBytes);
  EXPECT_GE(std::ranges::count(seen, 0xff), 1) << "overrun, translated";
  for (int i = 0; i < 100; ++i) command(0x20);
  EXPECT_EQ(read_all().size(), 1u);
}

TEST_F(I8042Test, Reset) {
  for (ResetKind kind : {ResetKind::PowerOn, ResetKind::Warm}) {
    command(0xdd);
    command(0x60);
    data(0x00);
    data(0xed);
    clock.step(1'000'000);
    command(0xd4);
    kbc.reset(kind);
    EXPECT_TRUE(wires.level(kA20));
    EXPECT_FALSE(wires.level(kIrq1));
    EXPECT_EQ(status(), 0x14);
    EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
    EXPECT_EQ(ask(0x20), 0x45);
  }
}

TEST_F(I8042Test, RoundTripWithAnswersUnderWay) {
  data(0xf2);
  clock.step(600'000);
  command(0x20);
  command(0xd1);
  const auto bytes = saved(kbc);
  Board other;
  other.clock.run_until(clock.now_ns());
  ASSERT_TRUE(load(other.kbc, bytes));
  EXPECT_EQ(saved(other.kbc), bytes);
  for (Board* board : {static_cast<Board*>(this), &other}) {
    out8(board->kbc.data_port(), 0, 0x01);
    std::vector<int> seen;
    for (int i = 0; i < 10; ++i) {
      if (in8(board->kbc.command_port(), 0) & 1) seen.push_back(in8(board->kbc.data_port(), 0));
      board->clock.step(600'000);
    }
    EXPECT_EQ(seen, (std::vector<int>{0xfa, 0x45, 0xab, 0x41}));
    EXPECT_FALSE(board->wires.level(kA20));
  }
}

TEST_F(I8042Test, TheInputPortShowsInTheStatus) {
  command(0xc1);
  EXPECT_EQ(status() & 0xf0, 0x00);
  command(0xc2);
  EXPECT_EQ(status() & 0xf0, 0xa0);
  command(0xe0);
  EXPECT_EQ(status() & 0xf0, 0x10);
}

TEST_F(I8042Test, APasswordIsTakenAndIsNone) {
  command(0xa5);
  for (const u8 byte : {0x1e, 0xf4, 0x00}) data(byte);
  EXPECT_EQ(read(), -1) << "none of it went to the keyboard";
  EXPECT_EQ(ask(0xa4), 0xf1);
  command(0xa6);
  data(0xee);
  EXPECT_EQ(read(), 0xee) << "the keyboard is not locked";
}

TEST_F(I8042Test, TheAuxPortCanBeClosed) {
  command(0xa8);
  mouse(0xf4);
  EXPECT_EQ(read(), 0xfa);
  command(0xa7);
  kbc.change_pointer({.motion = PointerChange::Motion::Relative, .x = 5});
  EXPECT_EQ(read(), -1);
  command(0xa8);
  EXPECT_EQ(read_all(), (std::vector<int>{0x08, 0x05, 0x00}));
  command(0xa7);
  mouse(0xf2);
  EXPECT_EQ(read_all(), (std::vector<int>{0xfa, 0x00})) << "talking to the mouse opens its port";
}

TEST_F(I8042Test, KeyboardAndMouseTakeTurns) {
  command(0x60);
  data(0x07);  // no translation, both interrupts
  mouse(0xf4);
  EXPECT_EQ(read(), 0xfa);
  press("right");
  kbc.change_pointer({.motion = PointerChange::Motion::Relative, .x = 1, .y = -2});
  std::vector<int> keyboard, aux;
  for (int i = 0; i < 5; ++i) {
    clock.step(600'000);
    const bool from_mouse = (status() & 0x20) != 0;
    EXPECT_EQ(wires.level(kIrq12), from_mouse);
    EXPECT_EQ(wires.level(kIrq1), !from_mouse);
    (from_mouse ? aux : keyboard).push_back(in8(kbc.data_port(), 0));
    if (i == 3) {
      EXPECT_EQ(keyboard.size(), 2u) << "neither waits for the other's end";
    }
  }
  EXPECT_EQ(keyboard, (std::vector<int>{0xe0, 0x74}));
  EXPECT_EQ(aux, (std::vector<int>{0x08, 0x01, 0x02}));
}

TEST_F(I8042Test, Noise) {
  Noise noise(8042);
  for (int i = 0; i < 200000; ++i) {
    switch (noise.below(6)) {
      case 0: clock.step(noise.below(2'000'000)); break;
      case 1: {
        kbc.press(static_cast<Key>(noise.next() & 0xff), noise.below(2) != 0);
        kbc.change_pointer({.motion = static_cast<PointerChange::Motion>(noise.below(3)),
                            .x = static_cast<i32>(noise.next()),
                            .y = static_cast<i32>(noise.next()),
                            .wheel = static_cast<i32>(noise.next()),
                            .buttons = static_cast<u8>(noise.next())});
        break;
      }
      case 2:
      case 3: noise.ports(kbc.data_port(), 1, Width::Byte); break;
      default: noise.ports(kbc.command_port(), 1, Width::Byte);
    }
    control.requests.clear();
  }
  Board other;
  other.clock.jump(clock.now_ns());
  ASSERT_TRUE(load(other.kbc, saved(kbc)));
  EXPECT_EQ(saved(other.kbc), saved(kbc));
  EXPECT_FALSE(kbc.debug_dump().empty());
}

}  // namespace
}  // namespace reprise::devices
