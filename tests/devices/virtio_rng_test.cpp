#include "devices/virtio/virtio_rng.h"

#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kData = 0x21000;

class VirtioRngTest : public ::testing::Test {
 protected:
  VirtioRngTest() { rng.reset(ResetKind::PowerOn); }
  /// What the guest gets when it asks for `bytes` bytes.
  std::vector<u8> ask(VirtioDriver& through, u32 bytes) {
    through.send(0, {{kData, bytes, true}});
    test.clock.step(20'000);
    const u32 got = through.take(0).bytes;
    const auto first = test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(kData);
    return {first, first + got};
  }

  VirtioTestBoard test;
  OnPci<VirtioRng> rng{test, 42};
  VirtioDriver driver{rng, test.memory};
};

TEST_F(VirtioRngTest, SameSeedSameBytes) {
  EXPECT_EQ(rng.config_read(0x00, Width::Dword), 0x10051af4u);
  driver.start(0);
  const std::vector<u8> first = ask(driver, 13);
  const std::vector<u8> second = ask(driver, 13);
  EXPECT_EQ(first.size(), 13u);
  EXPECT_NE(first, second);

  OnPci<VirtioRng> twin(test, 42), other(test, 43);
  for (VirtioPci* device : {&twin, &other}) {
    device->reset(ResetKind::PowerOn);
    VirtioDriver own(*device, test.memory);
    own.start(0);
    EXPECT_EQ(ask(own, 13) == first, device == &twin);
  }
  rng.reset(ResetKind::Warm);
  driver.start(0);
  const std::vector<u8> third = ask(driver, 13);
  EXPECT_NE(third, first) << "a reset by the guest does not repeat the sequence";
  rng.reset(ResetKind::PowerOn);
  driver.start(0);
  EXPECT_EQ(ask(driver, 13), first) << "power-on does";
}

TEST_F(VirtioRngTest, LongRequestsGetLess) {
  driver.start(0);
  EXPECT_EQ(ask(driver, 100'000).size(), 4096u);
  EXPECT_EQ(ask(driver, 0).size(), 0u);
}

TEST_F(VirtioRngTest, SaveAndLoad) {
  driver.start(0);
  ask(driver, 5);
  driver.send(0, {{kData, 8, true}});
  const std::vector<u8> state = saved(rng);
  OnPci<VirtioRng> other(test, 1);
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  rng.reset(ResetKind::Warm);
  test.clock.step(20'000);
  const u64 loaded = test.memory.get<u64>(kData);
  rng.reset(ResetKind::PowerOn);
  driver.start(0);
  ask(driver, 5);
  ask(driver, 8);
  EXPECT_EQ(test.memory.get<u64>(kData), loaded) << "the request in flight gets what it would have got";
}

TEST_F(VirtioRngTest, Noise) {
  driver.start(u64{1} << 28);
  virtio_noise(rng, test, 5201, 60'000, u64{1} << 28, 1);
}

}  // namespace
}  // namespace reprise::devices
