#include "devices/virtio/virtio_balloon.h"

#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kList = 0x21000;

class VirtioBalloonTest : public ::testing::Test {
 protected:
  VirtioBalloonTest() { balloon.reset(ResetKind::PowerOn); }
  /// Numbers of pages, as a driver lists them.
  void list(const std::vector<u32>& pages) {
    for (std::size_t i = 0; i < pages.size(); ++i) test.memory.put<u32>(kList + 4 * i, pages[i]);
  }
  void give(const std::vector<u32>& pages, unsigned queue = 0) {
    list(pages);
    const u16 before = driver.used_index(queue);
    driver.send(queue, {{kList, static_cast<u32>(4 * pages.size()), false}});
    EXPECT_EQ(driver.used_index(queue), before) << "it is not done within the write";
    test.clock.step(20'000);
    EXPECT_EQ(driver.take(queue).bytes, 0u);
  }
  void fill(u32 page) { std::fill_n(test.memory.bytes.begin() + page * 4096, 4096, u8{0xaa}); }
  bool is_zero(u32 page) const {
    return std::all_of(test.memory.bytes.begin() + page * 4096,
                       test.memory.bytes.begin() + page * 4096 + 4096, [](u8 byte) { return byte == 0; });
  }
  u32 config(u64 offset) { return static_cast<u32>(driver.read(kDeviceConfig + offset, Width::Dword)); }

  VirtioTestBoard test;
  OnPci<VirtioBalloon> balloon{test};
  VirtioDriver driver{balloon, test.memory};
};

TEST_F(VirtioBalloonTest, PagesThatAreGivenAreEmptied) {
  EXPECT_EQ(balloon.config_read(0x00, Width::Dword), 0x10021af4u);
  driver.start(0, 2);
  for (const u32 page : {0x50u, 0x51u, 0x52u}) fill(page);
  give({0x50, 0x52});
  EXPECT_TRUE(is_zero(0x50));
  EXPECT_FALSE(is_zero(0x51));
  EXPECT_TRUE(is_zero(0x52));
  fill(0x50);
  give({0x50}, 1);
  EXPECT_FALSE(is_zero(0x50)) << "what the guest takes again stays as it is";
}

TEST_F(VirtioBalloonTest, PagesThatAreNoMemoryAreNothing) {
  driver.start(0, 2);
  give({0xffffffff, 0xfee00, 0x100});
  give({});
  EXPECT_EQ(driver.status(), 0xf);
}

TEST_F(VirtioBalloonTest, TheTargetIsToldByItsConfiguration) {
  driver.start(0, 2);
  driver.write(common_cfg::kConfigVector, Width::Word, 0xffff);
  const u64 before = driver.read(0x15, Width::Byte);
  balloon->set_target(0x1234);
  EXPECT_EQ(config(0), 0x1234u);
  EXPECT_NE(driver.read(0x15, Width::Byte), before) << "config_generation";
  EXPECT_TRUE(test.wires.level(0));
  EXPECT_EQ(driver.read(kIsr, Width::Byte), 2u);
  balloon->set_target(0x1234);
  EXPECT_FALSE(test.wires.level(0)) << "it is no other one";

  driver.write(kDeviceConfig, Width::Dword, 7);
  EXPECT_EQ(config(0), 0x1234u) << "that is the device's";
  driver.write(kDeviceConfig + 4, Width::Dword, 0x1000);
  EXPECT_EQ(balloon->given(), 0x1000u);
  EXPECT_EQ(config(4), 0x1000u);

  balloon.reset(ResetKind::Warm);
  EXPECT_EQ(balloon->given(), 0u) << "all memory is the guest's again";
  EXPECT_EQ(balloon->target(), 0x1234u);
  balloon.reset(ResetKind::PowerOn);
  EXPECT_EQ(balloon->target(), 0u);
}

TEST_F(VirtioBalloonTest, TooManyPagesBreakTheRules) {
  driver.start(0, 2);
  driver.send(0, {{kList, 0x20000, false}});
  EXPECT_NE(driver.status() & 0x40, 0) << "DEVICE_NEEDS_RESET";
  driver.start(0, 2);
  fill(0x50);
  give({0x50});
  EXPECT_TRUE(is_zero(0x50));
}

/// Whoever has the rings overwritten by the device gets no loop without an end.
TEST_F(VirtioBalloonTest, RingsThatAreGivenAway) {
  driver.start(0, 2);
  list({1, 2, 3, static_cast<u32>(kList >> 12)});
  driver.send(0, {{kList, 16, false}});
  driver.kick(0);
  balloon.reset(ResetKind::Warm);
  driver.start(0, 2);
  fill(0x50);
  give({0x50});
  EXPECT_TRUE(is_zero(0x50));
}

TEST_F(VirtioBalloonTest, SaveAndLoad) {
  driver.start(0, 2);
  balloon->set_target(99);
  driver.write(kDeviceConfig + 4, Width::Dword, 55);
  fill(0x50);
  list({0x50});
  driver.send(0, {{kList, 4, false}});
  const std::vector<u8> state = saved(balloon);
  OnPci<VirtioBalloon> other(test);
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  EXPECT_FALSE(is_zero(0x50));
  test.clock.step(20'000);
  EXPECT_TRUE(is_zero(0x50)) << "a request that waited is done";
  EXPECT_EQ(other->target(), 99u);
  EXPECT_EQ(other->given(), 55u);
}

TEST_F(VirtioBalloonTest, Noise) {
  driver.start(u64{1} << 28, 2);
  virtio_noise(balloon, test, 5301, 15'000, u64{1} << 28, 2);
}

}  // namespace
}  // namespace reprise::devices
