#include "devices/net/e1000/e1000.h"

#include "tests/devices/net_frames.h"
#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kCtrl = 0, kStatus = 8, kEecd = 0x10, kEerd = 0x14, kMdic = 0x20, kIcr = 0xc0, kIcs = 0xc8,
              kIms = 0xd0, kImc = 0xd8, kRctl = 0x100, kTctl = 0x400, kRdbal = 0x2800, kRdlen = 0x2808,
              kRdh = 0x2810, kRdt = 0x2818, kTdbal = 0x3800, kTdlen = 0x3808, kTdh = 0x3810, kTdt = 0x3818,
              kGoodSent = 0x4080, kRal = 0x5400;
constexpr u32 kEntries = 8;
constexpr u64 kSendRing = 0x1000, kReceiveRing = 0x2000, kData = 0x10000, kBuffers = 0x40000;
constexpr u8 kEop = 1, kReport = 8, kExtended = 0x20, kSegment = 4;
constexpr MacAddress kOwn = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
constexpr u64 kLong = 1'000'000;

class E1000Test : public ::testing::Test {
 protected:
  E1000Test() {
    card.reset(ResetKind::PowerOn);
    card.set_link(true);
    start();
  }
  void start() {
    card.config_write(pci::kCommand, Width::Word, pci::kCommandMemory | pci::kCommandBusMaster);
    write(kTdbal, kSendRing);
    write(kTdlen, kEntries * 16);
    write(kTctl, 2);
    write(kRdbal, kReceiveRing);
    write(kRdlen, kEntries * 16);
    for (u32 i = 0; i < kEntries; ++i) test.memory.put<u64>(kReceiveRing + 16 * i, kBuffers + 0x1000 * i);
    write(kRdt, kEntries - 1);
    write(kRctl, 2 | 1u << 15);
    read(kIcr);
  }
  u32 read(u64 offset) { return static_cast<u32>(card.bar(0).memory->mmio_read(offset, Width::Dword)); }
  void write(u64 offset, u32 value) { card.bar(0).memory->mmio_write(offset, Width::Dword, value); }
  void put(u64 phys, std::span<const u8> bytes) {
    std::ranges::copy(bytes, test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys));
  }
  std::vector<u8> at(u64 phys, std::size_t bytes) const {
    const auto first = test.memory.bytes.begin() + static_cast<std::ptrdiff_t>(phys);
    return {first, first + static_cast<std::ptrdiff_t>(bytes)};
  }
  /// A descriptor at the tail; the tail moves.
  void add(u64 address, u32 word2, u32 word3 = 0) {
    const u32 tail = read(kTdt);
    test.memory.put<u64>(kSendRing + 16 * tail, address);
    test.memory.put<u32>(kSendRing + 16 * tail + 8, word2);
    test.memory.put<u32>(kSendRing + 16 * tail + 12, word3);
    write(kTdt, (tail + 1) % kEntries);
  }
  u16 eeprom_bit_by_bit(unsigned address) {
    const auto clock = [&](bool in) {
      const u32 wires = 0x40 | 2 | (in ? 4 : 0);
      write(kEecd, wires);
      write(kEecd, wires | 1);
      const bool out = (read(kEecd) & 8) != 0;
      write(kEecd, wires);
      return out;
    };
    write(kEecd, 0x40);
    EXPECT_EQ(read(kEecd) & 0x180, 0x180u) << "present, and ours";
    for (const bool bit : {true, true, false}) clock(bit);
    for (int i = 5; i >= 0; --i) clock((address >> i & 1) != 0);
    u16 word = 0;
    for (int i = 0; i < 16; ++i) word = static_cast<u16>(word << 1 | (clock(false) ? 1 : 0));
    write(kEecd, 0);
    return word;
  }

  VirtioTestBoard test;
  FakeNetwork network;
  E1000 card{network, kOwn, test.clock, test.memory, test.wires.line(0)};
};

TEST_F(E1000Test, HasAnAddressInItsEeprom) {
  EXPECT_EQ(card.config_read(0, Width::Dword), 0x100e8086u);
  u16 sum = 0;
  for (unsigned i = 0; i < 64; ++i) {
    write(kEerd, i << 8 | 1);
    const u32 answer = read(kEerd);
    EXPECT_TRUE(answer & 0x10);
    EXPECT_EQ(eeprom_bit_by_bit(i), answer >> 16) << i;
    sum = static_cast<u16>(sum + (answer >> 16));
  }
  EXPECT_EQ(sum, 0xbaba);
  EXPECT_EQ(eeprom_bit_by_bit(0), 0x5452);
  EXPECT_EQ(read(kRal), 0x12005452u);
  EXPECT_EQ(read(kRal + 4), 0x80005634u);
  write(kRal, 0x99);
  EXPECT_EQ(card.mac()[0], 0x99);
  write(kCtrl, 1u << 26);
  EXPECT_EQ(card.mac(), kOwn);
}

TEST_F(E1000Test, LinkShowsInStatusAndTransceiver) {
  const auto phy = [&](u32 index) {
    write(kMdic, 2u << 26 | 1u << 21 | index << 16);
    return read(kMdic);
  };
  EXPECT_EQ(phy(2), 0x18220141u | 0u << 16);
  EXPECT_EQ(phy(1) & 0x24, 0x24u);
  EXPECT_EQ(read(kStatus) & 3, 3u);
  write(kIms, 4);
  card.set_link(false);
  EXPECT_TRUE(test.wires.level(0));
  EXPECT_EQ(read(kIcr), 4u);
  EXPECT_FALSE(test.wires.level(0));
  EXPECT_EQ(phy(1) & 0x24, 0u);
  EXPECT_EQ(read(kStatus) & 3, 1u);
  write(kMdic, 2u << 26 | 2u << 21);
  EXPECT_TRUE(read(kMdic) & 1u << 30) << "there is no other";
}

TEST_F(E1000Test, SendsWhatDescriptorsSay) {
  const std::vector<u8> frame = TestSegment{}.frame();
  put(kData, frame);
  add(kData, 60u | u32{kReport} << 24);
  add(kData + 60, static_cast<u32>(frame.size() - 60) | u32{kEop | kReport} << 24);
  EXPECT_TRUE(network.sent.empty());
  test.clock.step(kLong);
  ASSERT_EQ(network.sent.size(), 1u);
  EXPECT_EQ(network.sent[0], frame);
  EXPECT_EQ(test.memory.bytes[kSendRing + 12] & 1, 1);
  EXPECT_EQ(test.memory.bytes[kSendRing + 28] & 1, 1);
  EXPECT_EQ(read(kTdh), 2u);
  EXPECT_EQ(read(kIcr) & 3, 3u);
  EXPECT_EQ(read(kGoodSent), 1u);
  EXPECT_EQ(read(kGoodSent), 0u) << "reading clears";
  // Short ones are padded, longer ones than there can be are lost, and the next is as if nothing had been.
  add(kData, 20u | u32{kEop} << 24);
  for (unsigned i = 0; i < 4; ++i) add(kData, 0xf000u);
  add(kData, 0xf000u | u32{kEop} << 24);
  test.clock.step(kLong);
  add(kData, static_cast<u32>(frame.size()) | u32{kEop} << 24);
  test.clock.step(kLong);
  ASSERT_EQ(network.sent.size(), 3u);
  EXPECT_EQ(network.sent[1].size(), 60u);
  EXPECT_EQ(network.sent[2], frame);
}

TEST_F(E1000Test, ChecksumsAndSegments) {
  for (const bool v6 : {false, true}) {
    network.sent.clear();
    const std::vector<u8> right = TestSegment{.v6 = v6, .bytes = 3000}.frame();
    std::vector<u8> frame = right;
    const TcpFrame tcp = *parse_tcp(frame);
    finish_joined_tcp(frame, tcp);
    if (!v6) frame[24] = frame[25] = 0x77;
    put(kData, frame);
    // Context: IP header from 14, its sum at 24, to 33; TCP from its header on, to the end. 1000 bytes a segment.
    const u64 context = 14 | 24 << 8 | u64{33} << 16 | u64{tcp.tcp} << 32 | u64{tcp.tcp + 16u} << 40;
    add(context, u32{kExtended} << 24, 1000u << 16 | u32{tcp.payload} << 8);
    const u32 size = static_cast<u32>(frame.size());
    add(kData, size | 1u << 20 | u32{kExtended | kEop} << 24, (v6 ? 2u : 3u) << 8);
    test.clock.step(kLong);
    ASSERT_EQ(network.sent.size(), 1u);
    EXPECT_EQ(network.sent[0], right);
    // Drivers leave the lengths of what is to be cut up to the card.
    if (v6)
      frame[18] = frame[19] = 0;
    else
      frame[16] = frame[17] = 0;
    put(kData, frame);
    add(kData, size | 1u << 20 | u32{kExtended | kEop | kSegment} << 24, 3u << 8);
    test.clock.step(kLong);
    ASSERT_EQ(network.sent.size(), 4u);
    for (unsigned i = 1; i < 4; ++i) {
      EXPECT_TRUE(has_right_checksums(network.sent[i], *parse_tcp(network.sent[i])));
      EXPECT_EQ(parse_tcp(network.sent[i])->payload_bytes, 1000u);
    }
    network.large = true;
    add(kData, size | 1u << 20 | u32{kExtended | kEop | kSegment} << 24, 3u << 8);
    test.clock.step(kLong);
    network.large = false;
    ASSERT_EQ(network.sent.size(), 5u);
    EXPECT_EQ(network.sent[4], right);
  }
}

TEST_F(E1000Test, Receives) {
  const std::vector<u8> frame = TestSegment{}.frame();
  card.receive(frame);
  test.clock.step(kLong);
  EXPECT_EQ(read(kRdh), 1u);
  EXPECT_EQ(test.memory.get<u16>(kReceiveRing + 8), frame.size() + 4) << "with its checksum";
  EXPECT_EQ(test.memory.bytes[kReceiveRing + 12] & 3, 3);
  EXPECT_EQ(at(kBuffers, frame.size()), frame);
  EXPECT_EQ(read(kIcr) & 0x80, 0x80u);
  // In buffers of 256 bytes, without a checksum.
  write(kRctl, 2 | 1u << 15 | 3u << 16 | 1u << 26);
  const std::vector<u8> longer = TestSegment{.bytes = 500}.frame();
  card.receive(longer);
  test.clock.step(kLong);
  EXPECT_EQ(read(kRdh), 4u);
  EXPECT_EQ(test.memory.bytes[kReceiveRing + 16 + 12] & 3, 1);
  EXPECT_EQ(test.memory.bytes[kReceiveRing + 48 + 12] & 3, 3);
  EXPECT_EQ(test.memory.get<u16>(kReceiveRing + 48 + 8), longer.size() - 512);
  // Four descriptors are left, less the one that is never used.
  for (unsigned i = 0; i < 2; ++i) card.receive(longer);
  test.clock.step(kLong);
  EXPECT_EQ(read(kRdh), 7u);
  EXPECT_EQ(read(kIcr) & 0x40, 0x40u);
  write(kRdt, 6);
  test.clock.step(kLong);
  EXPECT_EQ(read(kRdh), 2u);
  // Not for this card.
  std::vector<u8> other = frame;
  other[5] ^= 1;
  card.receive(other);
  test.clock.step(kLong);
  EXPECT_EQ(read(kRdh), 2u);
  write(kRctl, 2 | 1u << 3);
  card.receive(other);
  test.clock.step(kLong);
  EXPECT_EQ(read(kRdh), 3u);
}

TEST_F(E1000Test, InterruptsFollowTheMask) {
  write(kIcs, 1);
  EXPECT_FALSE(test.wires.level(0));
  write(kIms, 1);
  EXPECT_TRUE(test.wires.level(0));
  write(kImc, 1);
  EXPECT_FALSE(test.wires.level(0));
  EXPECT_EQ(read(kIcr), 1u);
}

TEST_F(E1000Test, SavedInTheMiddle) {
  const std::vector<u8> frame = TestSegment{}.frame();
  put(kData, frame);
  add(kData, 60);
  test.clock.step(kLong);
  add(kData + 60, static_cast<u32>(frame.size() - 60) | u32{kEop} << 24);
  card.receive(frame);
  Archive saved;
  card.serialize(saved);
  FakeNetwork other_network;
  E1000 other(other_network, {2, 2, 2, 2, 2, 2}, test.clock, test.memory, test.wires.line(1));
  other.reset(ResetKind::PowerOn);
  expect_loads(other, saved);
  card.reset(ResetKind::Warm);
  test.clock.step(kLong);
  EXPECT_TRUE(network.sent.empty());
  ASSERT_EQ(other_network.sent.size(), 1u);
  EXPECT_EQ(other_network.sent[0], frame);
  EXPECT_EQ(at(kBuffers, frame.size()), frame);
}

TEST_F(E1000Test, Noise) {
  for (u32 seed = 0; seed < 4; ++seed) {
    Noise noise(seed);
    for (int i = 0; i < 20'000; ++i) {
      switch (noise.below(8)) {
        case 0: noise.page(*card.bar(0).memory, 0x6000); break;
        case 1: noise.ports(*card.bar(1).ports, 64, Width::Dword); break;
        case 2: card.config_write(static_cast<u8>(noise.below(256)), Width::Dword, noise.value()); break;
        case 3: test.memory.put<u32>(noise.below(0x3000) & ~3u, noise.value()); break;
        case 4: {
          std::vector<u8> frame =
              TestSegment{.bytes = noise.below(4) == 0 ? noise.below(60'000) : 100u}.frame();
          frame[noise.below(60)] ^= static_cast<u8>(noise.below(4) == 0 ? 1 : 0);
          card.receive(frame);
          break;
        }
        case 5: add(noise.below(8) == 0 ? noise.value64() : kData, noise.value(), noise.value()); break;
        case 6:
          if (noise.below(20) == 0) start();
          break;
        default: test.clock.step(noise.below(20'000));
      }
      network.sent.clear();
    }
    card.reset(ResetKind::Warm);
  }
}

}  // namespace
}  // namespace reprise::devices
