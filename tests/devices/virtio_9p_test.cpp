#include "devices/virtio/virtio_9p.h"

#include "tests/devices/fake_share.h"
#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;
using p9::Type;

constexpr u64 kRequest = 0x21000;
constexpr u64 kReply = 0x41000;

class Virtio9pTest : public ::testing::Test {
 protected:
  Virtio9pTest() { device.reset(ResetKind::PowerOn); }
  void send(const std::vector<u8>& request, u32 room) {
    std::ranges::copy(request, test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(kRequest));
    driver.send(0, {{kRequest, static_cast<u32>(request.size()), false}, {kReply, room, true}});
  }
  /// The type of the reply.
  u8 ask(const P9Request& request, u32 room = 8192) {
    send(request.bytes(), room);
    test.clock.step(share_request_ns(request.bytes().size() + room));
    EXPECT_EQ(driver.take(0).bytes, test.memory.get<u32>(kReply));
    return test.memory.get<u8>(kReply + 4);
  }
  static P9Request version() { return P9Request(Type::Version, 0xffff).put32(8192).text("9P2000.L"); }
  static P9Request attach() { return P9Request(Type::Attach).put32(0).put32(~0u).text("").text("").put32(0); }

  VirtioTestBoard test;
  FakeShare share{true};
  OnPci<Virtio9p> device{test, share, "some-tag"};
  VirtioDriver driver{device, test.memory};
};

TEST_F(Virtio9pTest, SaysWhatItIs) {
  EXPECT_EQ(device.config_read(0x00, Width::Dword), 0x10091af4u);
  driver.start(1);
  EXPECT_EQ(driver.offered() & 1, 1u);
  EXPECT_EQ(driver.read(kDeviceConfig, Width::Word), 8u);
  std::string tag;
  for (u64 i = 0; i < 8; ++i) tag += static_cast<char>(driver.read(kDeviceConfig + 2 + i, Width::Byte));
  EXPECT_EQ(tag, "some-tag");
  EXPECT_EQ(driver.read(kDeviceConfig + 10, Width::Byte), 0u);
}

TEST_F(Virtio9pTest, RequestsTakeTheirTime) {
  driver.start(1);
  send(version().bytes(), 8192);
  test.clock.step(share_request_ns(version().bytes().size() + 8192) - 1);
  EXPECT_EQ(driver.used_index(0), 0u);
  test.clock.step(1);
  EXPECT_EQ(driver.used_index(0), 1u);
  driver.take(0);
  EXPECT_EQ(test.memory.get<u8>(kReply + 4), 101);
  EXPECT_EQ(ask(attach()), 105);
  EXPECT_EQ(ask(P9Request(Type::Walk).put32(0).put32(1).put16(1).text("file")), 111);
  EXPECT_EQ(ask(P9Request(Type::Walk).put32(0).put32(2).put16(1).text("none")), 7);
  driver.start_legacy(1);
  EXPECT_EQ(ask(P9Request(Type::Clunk).put32(1)), 7) << "a reset ends the session";
  EXPECT_EQ(ask(version()), 101);
}

TEST_F(Virtio9pTest, ChainsWithoutRoomBreakTheDevice) {
  for (const auto& [bytes, room] : {std::pair{6u, 100u}, std::pair{20u, 10u}}) {
    driver.start(1);
    driver.send(0, {{kRequest, bytes, false}, {kReply, room, true}});
    test.clock.step(1'000'000);
    EXPECT_EQ(driver.status() & 0x40, 0x40);
  }
  driver.start(1);
  driver.send(0, {{kRequest, 0xffff'ffff, false}, {kReply, 0xffff'ffff, true}});
  test.clock.step(10'000'000);
  EXPECT_EQ(driver.used_index(0), 1u) << "as long as it likes, but only so much is read";
}

TEST_F(Virtio9pTest, SaveAndLoadInTheMiddle) {
  driver.start(1);
  EXPECT_EQ(ask(version()), 101);
  EXPECT_EQ(ask(attach()), 105);
  send(P9Request(Type::Walk).put32(0).put32(1).put16(1).text("file").bytes(), 100);
  const std::vector<u8> state = saved(device);
  OnPci<Virtio9p> other(test, share, "some-tag");
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  device.reset(ResetKind::Warm);
  test.clock.step(20'000);
  EXPECT_EQ(test.memory.get<u8>(kReply + 4), 111) << "the request in flight is answered";
  EXPECT_NE(saved(other), state);
}

TEST_F(Virtio9pTest, SaveAndLoadWithRequestsThatWait) {
  driver.start(1);
  EXPECT_EQ(ask(version()), 101);
  EXPECT_EQ(ask(attach()), 105);
  EXPECT_EQ(ask(P9Request(Type::Walk).put32(0).put32(1).put16(1).text("file")), 111);
  EXPECT_EQ(ask(P9Request(Type::Lopen).put32(1).put32(2)), 13);
  // A write, a read of what was written, and one that comes too late: one in flight, two in the ring.
  const P9Request requests[] = {P9Request(Type::Write).put32(1).put64(0).put32(1).put8('J'),
                                P9Request(Type::Read).put32(1).put64(0).put32(5),
                                P9Request(Type::Read).put32(2).put64(0).put32(5)};
  constexpr u64 kApart = 0x200;
  for (u64 i = 0; i < 3; ++i) {
    const std::vector<u8> bytes = requests[i].bytes();
    std::ranges::copy(bytes, test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(kRequest + i * kApart));
    driver.send(
        0, {{kRequest + i * kApart, static_cast<u32>(bytes.size()), false}, {kReply + i * kApart, 100, true}},
        static_cast<u16>(2 * i));
  }
  const u16 before = driver.used_index(0);
  const std::vector<u8> state = saved(device);
  OnPci<Virtio9p> other(test, share, "some-tag");
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  EXPECT_TRUE(share.handles.empty()) << "the state has nothing of the host";
  device.reset(ResetKind::Warm);
  test.clock.step(200'000);
  EXPECT_EQ(driver.used_index(0), before + 3);
  EXPECT_EQ(test.memory.get<u8>(kReply + 4), 119);
  EXPECT_EQ(test.memory.get<u8>(kReply + kApart + 4), 117) << "the file was opened again";
  EXPECT_EQ(test.memory.get<u8>(kReply + kApart + 11), 'J') << "in the order in which they came";
  EXPECT_EQ(test.memory.get<u8>(kReply + 2 * kApart + 4), 7);
}

TEST_F(Virtio9pTest, Noise) {
  driver.start(1);
  virtio_noise(device, test, 9003, 30'000, 1, 1);
  Noise noise(9004);
  for (int i = 0; i < 20'000; ++i) {
    if (i % 500 == 0) {
      device.reset(ResetKind::Warm);
      driver.start(u64{1} << 28 | 1);
      ask(version());
      ask(attach());
    }
    send(noisy_p9_request([&](u32 bound) { return noise.below(bound); }), 11 + noise.below(8192));
    test.clock.step(100'000);
    test.messages.sent.clear();
  }
  EXPECT_FALSE(device.debug_dump().empty());
}

}  // namespace
}  // namespace reprise::devices
