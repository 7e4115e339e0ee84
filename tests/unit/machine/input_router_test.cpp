// Where keys and pointer changes go, and what of it is kept.
#include "machine/board/input_router.h"

#include <fmt/format.h>

#include "machine/board/typist.h"
#include "tests/devices/test_board.h"

namespace reprise::machine {
namespace {

using Motion = PointerChange::Motion;

struct FakeDevice final : devices::InputDevice {
  bool runs = false;
  std::string got;
  bool active() const override { return runs; }
  bool idle() const override { return true; }
  void press(Key key, bool down) override { got += fmt::format("{}{} ", name_of(key), down ? '+' : '-'); }
  void change_pointer(const PointerChange& change) override {
    got += fmt::format("{}:{},{},{} ", static_cast<int>(change.motion), change.x, change.y, change.buttons);
  }
  u8 leds() const override { return 7; }
  std::string take() { return std::exchange(got, {}); }
};

struct World {
  World() {
    router.attach_keyboard(&keyboard);
    router.attach_mouse(&mouse);
    router.attach_tablet(&tablet);
    say_to_mouse(0xf4);
  }
  void say_to_mouse(u8 byte) {
    kbc.command_port().pio_write(0, Width::Byte, 0xd4);
    kbc.data_port().pio_write(0, Width::Byte, byte);
    ps2();
  }
  /// What the PS/2 ports send, translated.
  std::vector<int> ps2() {
    std::vector<int> bytes;
    for (int i = 0; i < 100; ++i) {
      clock.step(1'000'000);
      if (kbc.command_port().pio_read(0, Width::Byte) & 1)
        bytes.push_back(static_cast<int>(kbc.data_port().pio_read(0, Width::Byte)));
    }
    return bytes;
  }

  devices::testing::FakeClock clock;
  devices::testing::FakeWires wires;
  devices::testing::FakeControl control;
  devices::I8042 kbc{clock, wires.line(1), wires.line(12), wires.line(20), control};
  FakeDevice keyboard, mouse, tablet;
  InputRouter router{kbc};
  Typist typist{clock, router};
};

constexpr Key kA{30}, kB{48};
using Bytes = std::vector<int>;

TEST(InputRouter, AKeyComesUpWhereItWentDown) {
  World world;
  world.router.key(kA, true);
  world.router.key(kA, true);
  EXPECT_EQ(world.ps2(), (Bytes{0x1e})) << "pressed once";
  world.keyboard.runs = true;
  world.router.key(kB, true);
  world.router.key(kA, false);
  EXPECT_EQ(world.ps2(), (Bytes{0x9e}));
  EXPECT_EQ(world.keyboard.take(), "b+ ");
  world.keyboard.runs = false;
  world.router.key(kB, false);
  EXPECT_EQ(world.ps2(), Bytes{});
  world.router.key(kB, false);
  EXPECT_EQ(world.ps2(), Bytes{}) << "it is up already";
}

TEST(InputRouter, ThePointerThatTheGuestRuns) {
  World world;
  world.router.pointer({.motion = Motion::Relative, .x = 3, .y = 1});
  EXPECT_EQ(world.ps2(), (Bytes{0x28, 0x03, 0xff}));
  // No tablet: the way from the place before, 1024 to the whole width.
  world.router.pointer({.motion = Motion::Absolute, .x = 16384, .y = 16384});
  world.router.pointer({.motion = Motion::Absolute, .x = 16384 + 320, .y = 16384});
  EXPECT_EQ(world.ps2(), (Bytes{0x08, 10, 0}));
  world.tablet.runs = true;
  world.router.pointer({.motion = Motion::Absolute, .x = 40000, .y = -1});
  world.router.pointer({.buttons = 1});
  EXPECT_EQ(world.tablet.take(), "2:32767,0,0 0:0,0,1 ");
  world.router.pointer({.motion = Motion::Relative, .x = 1, .buttons = 1});
  EXPECT_EQ(world.ps2(), (Bytes{0x08, 1, 0})) << "the tablet holds the button";
  world.mouse.runs = true;
  world.router.pointer({.motion = Motion::Relative, .x = 1, .buttons = 0});
  EXPECT_EQ(world.tablet.take(), "0:0,0,0 ") << "it comes up where it went down";
  EXPECT_EQ(world.mouse.take(), "1:1,0,0 ");
}

TEST(InputRouter, WhatItShowsOutside) {
  World world;
  InputStatus status;
  for (const u8 byte : {0xed, 0x03}) world.kbc.data_port().pio_write(0, Width::Byte, byte);
  world.router.publish(status);
  EXPECT_EQ(status.leds(), 3);
  EXPECT_FALSE(status.absolute_pointer());
  world.keyboard.runs = world.tablet.runs = true;
  world.router.publish(status);
  EXPECT_EQ(status.leds(), 7);
  EXPECT_TRUE(status.absolute_pointer());
}

TEST(InputRouter, WhatIsHeldIsSaved) {
  World world, other;
  world.router.key(kA, true);
  world.keyboard.runs = other.keyboard.runs = true;
  world.router.key(kB, true);
  world.typist.take({Key{31}, true});
  world.typist.take({Key{31}, false});
  world.clock.step(1'000'000);
  Archive archive;
  world.router.serialize(archive);
  world.typist.serialize(archive);
  Archive load(archive.bytes());
  other.clock.run_until(world.clock.now_ns());
  other.router.serialize(load);
  other.typist.serialize(load);
  ASSERT_TRUE(load.ok() && load.at_end());
  other.router.key(kA, false);
  other.router.key(kB, false);
  other.clock.step(100'000'000);
  EXPECT_EQ(other.keyboard.take(), "b- s- ");
  for (std::size_t cut = 0; cut < archive.bytes().size(); ++cut) {
    World refusing;
    Archive part(archive.bytes().first(cut));
    refusing.router.serialize(part);
    refusing.typist.serialize(part);
    EXPECT_FALSE(part.ok());
  }
}

TEST(Typist, WaitsForTheGuest) {
  World world;
  for (int i = 0; i < 3; ++i)
    for (const bool down : {true, false}) world.typist.take({kA, down});
  EXPECT_EQ(world.typist.room(), Typist::kMostKeys - 6);
  world.clock.step(5'000'000'000);
  EXPECT_EQ(world.typist.room(), Typist::kMostKeys - 4) << "nobody has read the first";
  EXPECT_EQ(world.ps2(), (Bytes{0x1e, 0x9e, 0x1e, 0x9e, 0x1e, 0x9e})) << "one of them every 20 ms";
  world.typist.take({kB, true});
  world.typist.take({kB, false});
  world.clock.step(20'000'000'000);
  EXPECT_EQ(world.typist.room(), Typist::kMostKeys) << "nobody is waited for without end";
}

}  // namespace
}  // namespace reprise::machine
