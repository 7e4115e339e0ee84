#include "devices/virtio/virtio_net.h"

#include "tests/devices/net_frames.h"
#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kChecksum = 1, kGuestChecksum = 2, kGuestOffloads = 4, kGuestTso4 = 1 << 7, kGuestTso6 = 1 << 8,
              kHostTso4 = 1 << 11, kHostTso6 = 1 << 12, kMergeable = 1 << 15, kStatus = 1 << 16,
              kControl = 1 << 17, kControlRx = 1 << 18, kControlVlan = 1 << 19, kAnnounce = 1 << 21,
              kControlMac = 1 << 23;
constexpr u64 kAll = kChecksum | kGuestChecksum | kGuestOffloads | kGuestTso4 | kGuestTso6 | kHostTso4 |
                     kHostTso6 | kMergeable | kStatus | kControl | kControlRx | kControlVlan | kAnnounce |
                     kControlMac;
constexpr MacAddress kOwn = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
constexpr unsigned kReceive = 0, kTransmit = 1, kCommands = 2;
constexpr u64 kHeader = 0x20000, kData = 0x21000, kBuffers = 0x40000;
constexpr u64 kLong = 1'000'000;

class VirtioNetTest : public ::testing::Test {
 protected:
  VirtioNetTest() {
    card.reset(ResetKind::PowerOn);
    card->set_link(true);
  }
  void put(u64 phys, std::span<const u8> bytes) {
    std::ranges::copy(bytes, test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys));
  }
  std::vector<u8> at(u64 phys, std::size_t bytes) const {
    const auto first = test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys);
    return {first, first + static_cast<std::ptrdiff_t>(bytes)};
  }
  void put_header(u8 flags, u8 gso = 0, u16 segment_bytes = 0, u16 start = 0, u16 offset = 0) {
    put(kHeader, std::array<u8, 12>{flags, gso});
    test.memory.put<u16>(kHeader + 4, segment_bytes);
    test.memory.put<u16>(kHeader + 6, start);
    test.memory.put<u16>(kHeader + 8, offset);
  }
  void transmit(const std::vector<u8>& frame, u32 header_bytes = 12) {
    put(kData, frame);
    driver.send(kTransmit, {{kHeader, header_bytes, false}, {kData, static_cast<u32>(frame.size()), false}});
    test.clock.step(kLong);
  }
  /// Buffers of `bytes`, each in a descriptor of its own.
  void offer_buffers(unsigned count, u32 bytes) {
    for (unsigned i = 0; i < count; ++i)
      driver.send(kReceive, {{kBuffers + i * 0x10000 / 4, bytes, true}}, static_cast<u16>(i));
  }
  /// The answer to a command.
  u8 command(u8 kind, u8 what, const std::vector<u8>& data) {
    std::vector<u8> bytes = {kind, what};
    bytes.insert(bytes.end(), data.begin(), data.end());
    put(kData, bytes);
    test.memory.bytes[kHeader] = 0xee;
    driver.send(kCommands, {{kData, static_cast<u32>(bytes.size()), false}, {kHeader, 1, true}});
    test.clock.step(kLong);
    EXPECT_EQ(driver.take(kCommands).bytes, 1u);
    return test.memory.bytes[kHeader];
  }
  bool takes(const MacAddress& to) {
    std::vector<u8> frame(60);
    std::ranges::copy(to, frame.begin());
    return takes_frame(frame);
  }
  bool takes_frame(const std::vector<u8>& frame) {
    const u16 before = driver.used_index(kReceive);
    driver.send(kReceive, {{kBuffers, 2048, true}});
    card->receive(frame);
    test.clock.step(kLong);
    return driver.used_index(kReceive) != before;
  }

  VirtioTestBoard test;
  FakeNetwork network;
  OnPci<VirtioNet> card{test, network, kOwn};
  VirtioDriver driver{card, test.memory};
};

TEST_F(VirtioNetTest, LooksLikeOne) {
  EXPECT_EQ(card.config_read(0x00, Width::Dword), 0x10001af4u);
  driver.start(kAll, 3);
  EXPECT_EQ(driver.offered() & kAll, kAll);
  for (unsigned i = 0; i < 6; ++i) EXPECT_EQ(driver.read(kDeviceConfig + i, Width::Byte), kOwn[i]);
  EXPECT_EQ(driver.read(kDeviceConfig + 6, Width::Word), 1u);
}

TEST_F(VirtioNetTest, SendsAfterAWhile) {
  driver.start(kAll, 3);
  put_header(0);
  const std::vector<u8> frame = TestSegment{}.frame();
  put(kData, frame);
  driver.send(kTransmit, {{kHeader, 12, false}, {kData, static_cast<u32>(frame.size()), false}});
  EXPECT_TRUE(network.sent.empty());
  test.clock.step(kLong);
  ASSERT_EQ(network.sent.size(), 1u);
  EXPECT_EQ(network.sent[0], frame);
  EXPECT_EQ(driver.take(kTransmit).bytes, 0u);
}

TEST_F(VirtioNetTest, CompletesChecksums) {
  driver.start(kAll, 3);
  std::vector<u8> frame = TestSegment{}.frame();
  const std::vector<u8> right = frame;
  const TcpFrame tcp = *parse_tcp(frame);
  finish_joined_tcp(frame, tcp);
  EXPECT_NE(frame, right);
  put_header(1, 0, 0, tcp.tcp, 16);
  transmit(frame);
  ASSERT_EQ(network.sent.size(), 1u);
  EXPECT_EQ(network.sent[0], right);
  put_header(1, 0, 0, static_cast<u16>(frame.size() - 1), 0);
  transmit(frame);
  put_header(1, 0, 0, 0xffff, 0xffff);
  transmit(frame);
  EXPECT_EQ(network.sent.size(), 1u) << "there is no such place in the frame";
  EXPECT_EQ(driver.status(), 0xf);
}

TEST_F(VirtioNetTest, CutsLargeSegments) {
  driver.start(kAll, 3);
  for (const bool v6 : {false, true}) {
    network.sent.clear();
    const std::vector<u8> frame = TestSegment{.v6 = v6, .bytes = 3000}.frame();
    put_header(1, v6 ? 4 : 1, 1400, v6 ? 54 : 34, 16);
    transmit(frame);
    ASSERT_EQ(network.sent.size(), 3u);
    for (const std::vector<u8>& sent : network.sent) EXPECT_TRUE(has_right_checksums(sent, *parse_tcp(sent)));
    EXPECT_EQ(parse_tcp(network.sent[2])->payload_bytes, 200u);
    network.large = true;
    transmit(frame);
    network.large = false;
    ASSERT_EQ(network.sent.size(), 4u);
    EXPECT_EQ(network.sent[3], frame);
    put_header(1, v6 ? 1 : 4, 1400, 34, 16);
    transmit(frame);
    put_header(1, v6 ? 4 : 1, 0, 34, 16);
    transmit(frame);
    EXPECT_EQ(network.sent.size(), 4u) << "what it is not, or of no size";
  }
}

TEST_F(VirtioNetTest, DropsWhatIsNoFrame) {
  driver.start(kAll, 3);
  put_header(0);
  transmit(std::vector<u8>(13));
  EXPECT_EQ(driver.take(kTransmit).head, 0u);
  driver.send(kTransmit, {{kHeader, 12, false}, {kData, 70'000, false}});
  driver.send(kTransmit, {{kHeader, 12, false}, {0x1'0000'0000, 100, false}}, 3);
  test.clock.step(kLong);
  EXPECT_TRUE(network.sent.empty());
  EXPECT_EQ(driver.status(), 0xf);
  driver.send(kTransmit, {{kHeader, 11, false}}, 6);
  test.clock.step(kLong);
  EXPECT_EQ(driver.status(), 0x4f) << "no room for a header";
}

TEST_F(VirtioNetTest, ReceivesIntoOneBuffer) {
  driver.start(kAll & ~(kMergeable | kGuestTso4), 3);
  const std::vector<u8> frame = TestSegment{}.frame();
  card->receive(frame);
  test.clock.step(kLong);
  EXPECT_EQ(driver.used_index(kReceive), 0);
  offer_buffers(1, 2048);
  EXPECT_EQ(driver.used_index(kReceive), 0);
  test.clock.step(kLong);
  EXPECT_EQ(driver.take(kReceive).bytes, 12 + frame.size());
  EXPECT_EQ(at(kBuffers, 12), (std::vector<u8>{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0})) << "checksums are right";
  EXPECT_EQ(at(kBuffers + 12, frame.size()), frame);
  offer_buffers(1, 100);
  card->receive(frame);
  card->receive(frame);
  test.clock.step(kLong);
  EXPECT_EQ(driver.used_index(kReceive), 1) << "too small a buffer stays where it is";
  EXPECT_EQ(driver.status(), 0xf);
}

TEST_F(VirtioNetTest, MergesBuffersAndJoinsSegments) {
  driver.start(kAll, 3);
  for (u32 i = 0; i < 4; ++i) card->receive(TestSegment{.sequence = 1000 + 1000 * i, .bytes = 1000}.frame());
  offer_buffers(2, 2000);
  test.clock.step(kLong);
  EXPECT_EQ(driver.used_index(kReceive), 0) << "not enough room yet";
  driver.send(kReceive, {{kBuffers + 0x8000, 2000, true}}, 2);
  test.clock.step(kLong);
  ASSERT_EQ(driver.used_index(kReceive), 3);
  std::vector<u8> whole;
  for (unsigned i = 0; i < 3; ++i) {
    const auto used = driver.take(kReceive);
    EXPECT_EQ(used.head, i);
    const std::vector<u8> part = at(kBuffers + i * 0x4000, used.bytes);
    whole.insert(whole.end(), part.begin(), part.end());
  }
  ASSERT_EQ(whole.size(), 12 + 54 + 4000u);
  EXPECT_EQ((std::vector<u8>(whole.begin(), whole.begin() + 12)),
            (std::vector<u8>{1, 1, 54, 0, 0xe8, 3, 34, 0, 16, 0, 3, 0}));
  const std::vector<u8> frame(whole.begin() + 12, whole.end());
  EXPECT_EQ(parse_tcp(frame)->payload_bytes, 4000u);
}

TEST_F(VirtioNetTest, JoinsOnlyWhileTheDriverWants) {
  driver.start(kAll, 3);
  EXPECT_EQ(command(5, 0, {2, 0, 0, 0, 0, 0, 0, 0}), 0);
  for (u32 i = 0; i < 2; ++i) card->receive(TestSegment{.sequence = 1000 + 100 * i}.frame());
  offer_buffers(2, 2000);
  test.clock.step(kLong);
  EXPECT_EQ(driver.used_index(kReceive), 2);
  EXPECT_EQ(command(5, 0, {2, 4, 0, 0, 0, 0, 0, 0}), 1) << "not what it offers";
  EXPECT_EQ(command(5, 0, {2, 0}), 1);
}

TEST_F(VirtioNetTest, OldHeadersAreShorter) {
  driver.start_legacy(static_cast<u32>(kAll & ~kMergeable), 2);  // that have one size
  const std::vector<u8> frame = TestSegment{}.frame();
  card->receive(frame);
  driver.send(kReceive, {{kBuffers, 10, true}, {kBuffers + 0x1000, 2000, true}});
  test.clock.step(kLong);
  EXPECT_EQ(driver.take(kReceive).bytes, 10 + frame.size());
  EXPECT_EQ(at(kBuffers + 0x1000, frame.size()), frame);
  put_header(0);
  transmit(frame, 10);
  ASSERT_EQ(network.sent.size(), 1u);
  EXPECT_EQ(network.sent[0], frame);
  // Old drivers write the address where it stands.
  out8(*card.bar(0).ports, 0x14 + 5, 0x99);
  EXPECT_EQ(card->mac()[5], 0x99);
  card.reset(ResetKind::Warm);
  EXPECT_EQ(card->mac(), kOwn);
}

TEST_F(VirtioNetTest, Filters) {
  driver.start(kAll, 3);
  const MacAddress other = {2, 0, 0, 0, 0, 1}, group = {1, 0, 0x5e, 0, 0, 1},
                   all = {255, 255, 255, 255, 255, 255};
  EXPECT_TRUE(takes(other)) << "at first everything";
  EXPECT_EQ(command(0, 0, {0}), 0);
  EXPECT_TRUE(takes(kOwn));
  EXPECT_TRUE(takes(all));
  EXPECT_FALSE(takes(other));
  EXPECT_FALSE(takes(group));
  EXPECT_EQ(command(1, 0, {1, 0, 0, 0, 2, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0x5e, 0, 0, 1}), 0);
  EXPECT_TRUE(takes(other));
  EXPECT_TRUE(takes(group));
  EXPECT_EQ(command(0, 3, {1}), 0);
  EXPECT_FALSE(takes(group));
  EXPECT_EQ(command(0, 5, {1}), 0);
  EXPECT_FALSE(takes(all));
  EXPECT_EQ(command(1, 1, {2, 0, 0, 0, 0, 9}), 0);
  EXPECT_TRUE(takes({2, 0, 0, 0, 0, 9}));
  std::vector<u8> tagged = TestSegment{}.frame();
  std::ranges::copy(std::array<u8, 6>{2, 0, 0, 0, 0, 9}, tagged.begin());
  tagged[12] = 0x81, tagged[13] = 0, tagged[14] = 0, tagged[15] = 42;
  EXPECT_FALSE(takes_frame(tagged));
  EXPECT_EQ(command(2, 0, {42, 0}), 0);
  EXPECT_TRUE(takes_frame(tagged));
  // What cannot be.
  for (const auto& data : std::vector<std::vector<u8>>{
           {}, {1, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0, 1}})
    EXPECT_EQ(command(1, 0, data), 1);
  EXPECT_EQ(command(0, 6, {1}), 1);
  EXPECT_EQ(command(0, 0, {}), 1);
  EXPECT_EQ(command(2, 0, {0, 16}), 1);
  EXPECT_EQ(command(3, 0, {}), 1) << "nothing to announce";
  EXPECT_EQ(command(9, 9, {}), 1);
  EXPECT_EQ(driver.status(), 0xf);
}

TEST_F(VirtioNetTest, LinkGoesDownAndUp) {
  driver.start(kAll, 3);
  driver.write(common_cfg::kConfigVector, Width::Word, 0xffff);
  const u64 generation = driver.read(0x15, Width::Byte);
  card->set_link(false);
  EXPECT_EQ(driver.read(kDeviceConfig + 6, Width::Word), 0u);
  EXPECT_NE(driver.read(0x15, Width::Byte), generation);
  EXPECT_EQ(driver.read(kIsr, Width::Byte), 2u);
  card->receive(TestSegment{}.frame());
  put_header(0);
  transmit(TestSegment{}.frame());
  EXPECT_TRUE(network.sent.empty());
  card->set_link(true);
  EXPECT_EQ(driver.read(kDeviceConfig + 6, Width::Word), 3u) << "up, and to announce itself";
  EXPECT_EQ(command(3, 0, {}), 0);
  EXPECT_EQ(driver.read(kDeviceConfig + 6, Width::Word), 1u);
}

TEST_F(VirtioNetTest, SavedInTheMiddle) {
  driver.start(kAll, 3);
  put_header(0);
  const std::vector<u8> frame = TestSegment{}.frame();
  put(kData, frame);
  driver.send(kTransmit, {{kHeader, 12, false}, {kData, static_cast<u32>(frame.size()), false}});
  for (u32 i = 0; i < 3; ++i) card->receive(TestSegment{.sequence = 1000 + 100 * i}.frame());
  offer_buffers(1, 2000);
  Archive saved;
  card.serialize(saved);

  FakeNetwork other_network;
  OnPci<VirtioNet> other(test, other_network, MacAddress{2, 2, 2, 2, 2, 2});
  other.reset(ResetKind::PowerOn);
  expect_loads(other, saved);
  card.reset(ResetKind::Warm);
  test.clock.step(kLong);
  EXPECT_TRUE(network.sent.empty());
  ASSERT_EQ(other_network.sent.size(), 1u);
  EXPECT_EQ(driver.take(kReceive).bytes, 12 + 54 + 300u);
  for (std::size_t bytes = 0; bytes < saved.bytes().size(); bytes += 7) {
    Archive shorter(saved.bytes().first(bytes));
    other.serialize(shorter);
    EXPECT_FALSE(shorter.ok());
  }
}

TEST_F(VirtioNetTest, Noise) {
  for (u32 seed = 0; seed < 4; ++seed) virtio_noise(card, test, seed, 20'000, kAll, 3);
}

}  // namespace
}  // namespace reprise::devices
