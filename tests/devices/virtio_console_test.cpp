#include "devices/virtio/virtio_console.h"

#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kEventIndex = u64{1} << 29;
constexpr u64 kEmergencyWrite = u64{1} << 2;
constexpr unsigned kReceive = 0, kTransmit = 1;
constexpr u64 kData = 0x21000;

class VirtioConsoleTest : public ::testing::Test {
 protected:
  VirtioConsoleTest() { console.reset(ResetKind::PowerOn); }
  void put_text(u64 phys, std::string_view text) {
    std::copy(text.begin(), text.end(), test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys));
  }
  std::string text_at(u64 phys, std::size_t size) const {
    return {test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys),
            test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys + size)};
  }
  static std::span<const u8> typed(std::string_view text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
  }

  VirtioTestBoard test;
  FakeBackend host;
  VirtioConsole console{host, test.board};
  VirtioDriver driver{console, test.memory};
};

TEST_F(VirtioConsoleTest, Identity) {
  EXPECT_EQ(console.config_read(0x00, Width::Dword), 0x10031af4u);
  EXPECT_EQ(driver.read(common_cfg::kNumQueues, Width::Word), 2u);
  EXPECT_EQ(driver.read(kDeviceConfig + 4, Width::Dword), 1u);
}

TEST_F(VirtioConsoleTest, OutputInOrder) {
  driver.start(0, 2);
  put_text(kData, "Hello, ");
  put_text(kData + 0x100, "host\n");
  driver.send(kTransmit, {{kData, 7, false}}, 0);
  driver.send(kTransmit, {{kData + 0x100, 3, false}, {kData + 0x103, 2, false}}, 1);
  EXPECT_EQ(host.text, "") << "not inside the register write";
  test.clock.step(10'000);
  EXPECT_EQ(host.text, "Hello, host\n");
  EXPECT_EQ(driver.take(kTransmit).head, 0u);
  EXPECT_EQ(driver.take(kTransmit).head, 1u);
  EXPECT_EQ(driver.read(kIsr, Width::Byte), 1u);
}

TEST_F(VirtioConsoleTest, InputWaitsForBuffersAndForAListener) {
  EXPECT_EQ(console.receive(typed("early ")), 6u);
  driver.start(kEventIndex, 2);
  driver.send(kReceive, {{kData, 4, true}}, 0);
  test.clock.step(1'000'000'000);
  EXPECT_EQ(driver.used_index(kReceive), 0) << "the guest has said nothing yet";
  driver.send(kTransmit, {{kData + 0x300, 1, false}}, 0);
  test.clock.step(99'000'000);
  EXPECT_EQ(driver.used_index(kReceive), 0);
  test.clock.step(2'000'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 4u);
  EXPECT_EQ(text_at(kData, 4), "earl");
  EXPECT_EQ(test.memory.get<u16>(driver.avail_event(kReceive)), 1u) << "it waits for the second buffer";
  driver.send(kReceive, {{kData + 0x100, 64, true}}, 1);
  test.clock.step(100'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 2u);
  EXPECT_EQ(text_at(kData + 0x100, 2), "y ");
  driver.send(kReceive, {{kData + 0x200, 64, true}}, 2);
  test.clock.step(100'000);
  EXPECT_EQ(driver.used_index(kReceive), 2) << "nothing to say";
  console.receive(typed("late"));
  test.clock.step(100'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 4u);
  EXPECT_EQ(text_at(kData + 0x200, 4), "late");
}

TEST_F(VirtioConsoleTest, AGuestThatPrintsNothingGetsItsInputInTheEnd) {
  driver.start(0, 2);
  driver.send(kReceive, {{kData, 64, true}});
  console.receive(typed("silent"));
  test.clock.step(19'900'000'000);
  EXPECT_EQ(driver.used_index(kReceive), 0);
  test.clock.step(200'000'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 6u);
  EXPECT_EQ(text_at(kData, 6), "silent");
}

TEST_F(VirtioConsoleTest, OutputBringsTheInputForward) {
  driver.start(0, 2);
  driver.send(kReceive, {{kData, 64, true}});
  console.receive(typed("soon"));
  test.clock.step(5'000'000'000);
  put_text(kData + 0x300, ">");
  driver.send(kTransmit, {{kData + 0x300, 1, false}}, 0);
  test.clock.step(150'000'000);
  EXPECT_EQ(driver.take(kReceive).bytes, 4u);
}

TEST_F(VirtioConsoleTest, BacklogIsBounded) {
  const std::string much(VirtioConsole::kBacklogBytes + 100, 'x');
  EXPECT_EQ(console.receive(typed(much)), VirtioConsole::kBacklogBytes);
  EXPECT_EQ(console.can_receive(), 0u);
  EXPECT_EQ(console.receive(typed("y")), 0u);
}

TEST_F(VirtioConsoleTest, EmergencyWriteNeedsNoDriver) {
  EXPECT_TRUE(driver.offered() & kEmergencyWrite);
  driver.write(kDeviceConfig + 8, Width::Dword, '!');
  EXPECT_EQ(host.text.substr(0, 1), "!");
  EXPECT_EQ(host.text.size(), 1u);
}

TEST_F(VirtioConsoleTest, HugeOutputNeedsAReset) {
  driver.start(0, 2);
  driver.send(kTransmit, {{kData, 0x7fff'ffff, false}});
  test.clock.step(100'000);
  EXPECT_EQ(driver.status(), 0x4f);
  EXPECT_EQ(host.text, "");
}

TEST_F(VirtioConsoleTest, SaveAndLoad) {
  driver.start(0, 2);
  put_text(kData, "text");
  driver.send(kTransmit, {{kData, 4, false}});
  console.receive(typed("abc"));
  const std::vector<u8> state = saved(console);
  VirtioConsole other(host, test.board);
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  EXPECT_EQ(other.can_receive(), VirtioConsole::kBacklogBytes - 3);
  console.reset(ResetKind::Warm);
  test.clock.step(100'000);
  EXPECT_EQ(host.text, "text");
}

TEST_F(VirtioConsoleTest, Noise) {
  driver.start(kEventIndex | u64{1} << 28, 2);
  for (u32 seed = 5101; seed < 5105; ++seed) {
    console.receive(typed("some input that the guest may or may not take"));
    virtio_noise(console, test, seed, 20'000, kEventIndex | u64{1} << 28, 2);
  }
  EXPECT_GT(host.text.size(), 10'000u) << "the noise reached the host";
}

}  // namespace
}  // namespace reprise::devices
