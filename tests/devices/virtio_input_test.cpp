#include "devices/virtio/virtio_input.h"

#include <fmt/format.h>

#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;
using Kind = VirtioInput::Kind;
using Motion = PointerChange::Motion;

constexpr u64 kBuffers = 0x20000;
constexpr Key kA{30};

struct World {
  explicit World(Kind kind) : device(test, kind) {
    device.reset(ResetKind::PowerOn);
    driver.start(0, 2);
  }
  /// Buffers for so many events more.
  void offer(unsigned count) {
    for (unsigned i = 0; i < count; ++i, ++offered)
      driver.send(0, {{kBuffers + 8 * (offered % 16), 8, true}}, static_cast<u16>(offered % 16));
  }
  /// Events that have come: "type.code=value ".
  std::string events() {
    test.clock.step(10'000);
    std::string text;
    for (; seen != driver.used_index(0); ++seen) {
      const auto used = driver.take(0);
      EXPECT_EQ(used.bytes, 8u);
      const u64 at = kBuffers + 8 * used.head;
      text += fmt::format("{}.{:x}={} ", test.memory.get<u16>(at), test.memory.get<u16>(at + 2),
                          static_cast<i32>(test.memory.get<u32>(at + 4)));
    }
    return text;
  }
  /// The content behind `select` and `subsel`.
  std::vector<u8> ask(u8 select, u8 subsel) {
    driver.write(kDeviceConfig, Width::Byte, select);
    driver.write(kDeviceConfig + 1, Width::Byte, subsel);
    std::vector<u8> content(driver.read(kDeviceConfig + 2, Width::Byte));
    for (std::size_t i = 0; i < content.size(); ++i)
      content[i] = static_cast<u8>(driver.read(kDeviceConfig + 8 + i, Width::Byte));
    return content;
  }
  bool has_bit(u8 type, unsigned code) {
    const std::vector<u8> bits = ask(0x11, type);
    return code / 8 < bits.size() && (bits[code / 8] >> (code % 8) & 1) != 0;
  }

  VirtioTestBoard test;
  OnPci<VirtioInput> device;
  VirtioDriver driver{device, test.memory};
  unsigned offered = 0;
  u16 seen = 0;
};

TEST(VirtioInputTest, SaysWhatItIs) {
  struct Case {
    Kind kind;
    const char* name;
    u8 product;
    u32 class_code;
  };
  for (const Case& one :
       {Case{Kind::Keyboard, "Virtio Keyboard", 1, 0x0900}, Case{Kind::Mouse, "Virtio Mouse", 2, 0x0902},
        Case{Kind::Tablet, "Virtio Tablet", 3, 0x0980}}) {
    World world(one.kind);
    EXPECT_EQ(world.device.config_read(0x00, Width::Dword), 0x10521af4u);
    EXPECT_EQ(world.device.config_read(0x08, Width::Dword), one.class_code << 16 | 1);
    EXPECT_EQ(world.device.config_read(0x2c, Width::Dword), 0x11001af4u);
    EXPECT_EQ(world.device.bar(0).ports, nullptr) << "no legacy interface";
    const std::vector<u8> name = world.ask(1, 0);
    EXPECT_EQ(std::string(name.begin(), name.end()), one.name);
    EXPECT_EQ(world.ask(3, 0), (std::vector<u8>{6, 0, 0x27, 6, one.product, 0, 1, 0}));
    for (const u8 nothing : {0x00, 0x02, 0x10, 0x77}) EXPECT_TRUE(world.ask(nothing, 0).empty());
    const bool keyboard = one.kind == Kind::Keyboard, tablet = one.kind == Kind::Tablet;
    EXPECT_EQ(world.has_bit(1, 30), keyboard) << "A";
    EXPECT_EQ(world.has_bit(0x11, 2), keyboard) << "Scroll Lock's light";
    EXPECT_EQ(world.ask(0x11, 0x14).size(), keyboard ? 1u : 0u) << "repeat";
    EXPECT_EQ(world.has_bit(1, 0x114), !keyboard) << "button";
    EXPECT_EQ(world.has_bit(2, 8), !keyboard) << "wheel";
    EXPECT_EQ(world.has_bit(2, 0), one.kind == Kind::Mouse);
    EXPECT_EQ(world.has_bit(3, 1), tablet);
    EXPECT_EQ(world.ask(0x12, 1).size(), tablet ? 20u : 0u);
    if (tablet) {
      EXPECT_EQ(world.ask(0x12, 0)[4], 0xff);
      EXPECT_EQ(world.ask(0x12, 0)[5], 0x7f);
    }
  }
}

TEST(VirtioInputTest, KeysAndLights) {
  World world(Kind::Keyboard);
  EXPECT_TRUE(world.device->active());
  world.device->press(kA, true);
  EXPECT_FALSE(world.device->idle());
  EXPECT_EQ(world.events(), "") << "there is no buffer yet";
  world.offer(3);
  EXPECT_EQ(world.events(), "1.1e=1 0.0=0 ");
  EXPECT_TRUE(world.device->idle());
  world.device->press(kA, false);
  world.offer(2);
  EXPECT_EQ(world.events(), "1.1e=0 0.0=0 ");
  for (const auto& [code, on, leds] : {std::tuple{0, 1, 2}, {1, 1, 6}, {0, 0, 4}, {2, 1, 5}, {9, 1, 5}}) {
    world.test.memory.put<u16>(0x30000, 0x11);
    world.test.memory.put<u16>(0x30002, static_cast<u16>(code));
    world.test.memory.put<u32>(0x30004, static_cast<u32>(on));
    world.driver.send(1, {{0x30000, 8, false}});
    world.test.clock.step(10'000);
    EXPECT_EQ(world.device->leds(), leds);
    world.driver.take(1);
  }
  world.driver.set_status(0);
  EXPECT_FALSE(world.device->active());
  EXPECT_EQ(world.device->leds(), 0);
}

TEST(VirtioInputTest, Pointers) {
  World mouse(Kind::Mouse), tablet(Kind::Tablet);
  for (World* world : {&mouse, &tablet}) {
    world->offer(12);
    world->device->change_pointer(
        {.motion = Motion::Relative, .x = -3, .y = 4, .wheel = -1, .buttons = 0x11});
    world->device->change_pointer({.motion = Motion::Absolute, .x = 5, .y = 40000, .buttons = 0x02});
    world->device->change_pointer({.buttons = 0x02});
  }
  EXPECT_EQ(mouse.events(), "2.0=-3 2.1=4 2.8=-1 1.110=1 1.114=1 0.0=0 1.110=0 1.111=1 1.114=0 0.0=0 ");
  EXPECT_EQ(tablet.events(), "2.8=-1 1.110=1 1.114=1 0.0=0 3.0=5 3.1=32767 1.110=0 1.111=1 1.114=0 0.0=0 ");
}

TEST(VirtioInputTest, AGuestThatTakesNothingLosesWholeGroups) {
  World world(Kind::Keyboard);
  for (int i = 0; i < 10'000; ++i) world.device->press(kA, i % 2 == 0);
  std::string all;
  for (std::size_t i = 0; i < VirtioInput::kMostEvents; i += 8) {
    world.offer(8);
    all += world.events();
  }
  EXPECT_TRUE(world.device->idle());
  EXPECT_TRUE(all.ends_with("1.1e=0 0.0=0 "));
}

TEST(VirtioInputTest, ShortBuffersBreakTheRules) {
  World world(Kind::Keyboard);
  world.driver.send(0, {{kBuffers, 7, true}});
  world.device->press(kA, true);
  world.test.clock.step(10'000);
  EXPECT_TRUE(world.driver.status() & 0x40);
  EXPECT_FALSE(world.device->active());
}

TEST(VirtioInputTest, SaveAndLoad) {
  World world(Kind::Tablet);
  world.offer(2);
  world.device->change_pointer({.motion = Motion::Absolute, .x = 7, .y = 8, .buttons = 1});
  world.test.clock.step(10'000);  // two of four are told
  world.ask(0x12, 1);
  const std::vector<u8> state = saved(world.device);
  OnPci<VirtioInput> other(world.test, Kind::Tablet);
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  EXPECT_FALSE(other->idle());
  world.device.reset(ResetKind::Warm);
  VirtioDriver through(other, world.test.memory);
  EXPECT_EQ(through.read(kDeviceConfig + 2, Width::Byte), 20u);
}

TEST(VirtioInputTest, Noise) {
  for (const Kind kind : {Kind::Keyboard, Kind::Mouse, Kind::Tablet}) {
    World world(kind);
    world.driver.start(u64{1} << 28, 2);
    for (u32 round = 0; round < 40; ++round) {
      virtio_noise(world.device, world.test, 5800 + round, 600, u64{1} << 28, 2);
      Noise noise(round);
      for (int i = 0; i < 50; ++i) {
        world.device->press(static_cast<Key>(noise.below(256)), noise.below(2) != 0);
        world.device->change_pointer({.motion = static_cast<Motion>(noise.below(3)),
                                      .x = static_cast<i32>(noise.next()),
                                      .y = static_cast<i32>(noise.next()),
                                      .wheel = static_cast<i32>(noise.next()),
                                      .buttons = static_cast<u8>(noise.next())});
      }
    }
  }
}

}  // namespace
}  // namespace reprise::devices
