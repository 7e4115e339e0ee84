#include "devices/virtio/virtio_mmio.h"

#include "devices/virtio/virtio_blk.h"
#include "devices/virtio/virtio_input.h"
#include "devices/virtio/virtio_net.h"
#include "tests/devices/fake_disk.h"
#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;
using Version = VirtioMmio::Version;

constexpr u64 kMagic = 0x00, kVersion = 0x04, kDeviceId = 0x08, kVendor = 0x0c, kDeviceFeatures = 0x10,
              kDeviceFeatureSelect = 0x14, kDriverFeatures = 0x20, kDriverFeatureSelect = 0x24,
              kGuestPageSize = 0x28, kQueueSelect = 0x30, kQueueMaxSize = 0x34, kQueueSize = 0x38,
              kQueueAlign = 0x3c, kQueuePage = 0x40, kQueueReady = 0x44, kQueueNotify = 0x50,
              kInterruptStatus = 0x60, kInterruptAcknowledge = 0x64, kStatus = 0x70, kQueueDesc = 0x80,
              kQueueDriver = 0x90, kQueueDevice = 0xa0, kConfig = 0x100;
constexpr u64 kFlush = u64{1} << 9, kIndirect = u64{1} << 28, kEventIndex = u64{1} << 29;
constexpr u64 kHeader = 0x20000, kData = 0x21000, kRequestStatus = 0x30000;
constexpr u64 kRings = 0x4000;  // one page for each ring
constexpr u16 kSize = 16;

class VirtioMmioTest : public ::testing::Test {
 protected:
  VirtioMmioTest() { disk.reset(ResetKind::PowerOn); }

  std::unique_ptr<VirtioBlk> a_disk() { return std::make_unique<VirtioBlk>(medium, "serial-1", test.clock); }
  u32 read(u64 offset) { return static_cast<u32>(place->mmio_read(offset, Width::Dword)); }
  void write(u64 offset, u64 value) { place->mmio_write(offset, Width::Dword, value); }

  /// Negotiation of `features`, one queue, DRIVER_OK.
  void start(u64 features) {
    place = &disk;
    for (const u8 status : {0, 1, 3}) write(kStatus, status);
    for (u32 half = 0; half < 2; ++half) {
      write(kDriverFeatureSelect, half);
      write(kDriverFeatures, (features | u64{1} << 32) >> (32 * half) & 0xffff'ffff);
    }
    write(kStatus, 0xb);
    EXPECT_EQ(read(kStatus), 0xbu);
    clear_rings();
    write(kQueueSelect, 0);
    write(kQueueSize, kSize);
    const u64 places[] = {kQueueDesc, kQueueDriver, kQueueDevice};
    for (u64 i = 0; i < 3; ++i) {
      write(places[i], kRings + 0x1000 * i);
      write(places[i] + 4, 0);
    }
    write(kQueueReady, 1);
    EXPECT_EQ(read(kQueueReady), 1u);
    write(kStatus, 0xf);
    driver_ring = kRings + 0x1000;
    device_ring = kRings + 0x2000;
  }
  /// The same by the legacy interface: the parts lie one behind the other, the device ring on a page of its own.
  void start_legacy(u32 features, u32 page = 0x1000) {
    place = &old_disk;
    for (const u8 status : {0, 1, 3}) write(kStatus, status);
    write(kGuestPageSize, page);
    write(kDriverFeatures, features);
    clear_rings();
    write(kQueueSelect, 0);
    EXPECT_EQ(read(kQueuePage), 0u);
    write(kQueueSize, kSize);
    write(kQueueAlign, 0x1000);
    write(kQueuePage, kRings / page);
    write(kStatus, 7);
    driver_ring = kRings + u64{16} * kSize;
    device_ring = kRings + 0x1000;
  }
  void clear_rings() {
    std::fill_n(test.memory.bytes.begin() + kRings, 0x4000, u8{0});
    offered = 0;
  }

  void put_descriptor(u16 index, u64 phys, u32 bytes, u16 flags) {
    const u64 at = kRings + 16u * index;
    test.memory.put<u64>(at, phys);
    test.memory.put<u32>(at + 8, bytes);
    test.memory.put<u16>(at + 12, flags);
    test.memory.put<u16>(at + 14, static_cast<u16>(index + 1));
  }
  /// Asks for a sector; the request is done when its time has passed.
  void offer_read(u64 sector) {
    test.memory.put<u32>(kHeader, 0);
    test.memory.put<u64>(kHeader + 8, sector);
    test.memory.put<u8>(kRequestStatus, 0xee);
    put_descriptor(0, kHeader, 16, kDescNext);
    put_descriptor(1, kData, 512, kDescNext | kDescWrite);
    put_descriptor(2, kRequestStatus, 1, kDescWrite);
    test.memory.put<u16>(driver_ring + 4 + 2 * (offered % kSize), 0);
    test.memory.put<u16>(driver_ring + 2, ++offered);
    write(kQueueNotify, 0);
  }
  u16 done() { return test.memory.get<u16>(device_ring + 2); }
  void wait() { test.clock.step(block_request_ns(512)); }

  VirtioTestBoard test;
  FakeDisk medium{2048 * 512};
  VirtioMmio disk{a_disk(), Version::Modern, test.memory, test.wires.line(0)};
  VirtioMmio old_disk{a_disk(), Version::Legacy, test.memory, test.wires.line(1)};
  VirtioMmio* place = &disk;
  u64 driver_ring = 0, device_ring = 0;
  u16 offered = 0;
};

TEST_F(VirtioMmioTest, SaysWhatItIs) {
  for (VirtioMmio* one : {&disk, &old_disk}) {
    place = one;
    EXPECT_EQ(read(kMagic), 0x74726976u);
    EXPECT_EQ(read(kVersion), one == &disk ? 2u : 1u);
    EXPECT_EQ(read(kDeviceId), 2u);
    EXPECT_EQ(read(kVendor), 0x554d4551u);
    EXPECT_EQ(read(kQueueMaxSize), 256u);
    write(kQueueSelect, 1);
    EXPECT_EQ(read(kQueueMaxSize), 0u) << "there is one queue";
    EXPECT_EQ(read(kConfig), 2048u);
    EXPECT_EQ(place->mmio_read(kConfig + 1, Width::Byte), 8u) << "the configuration is read in any width";
    EXPECT_EQ(place->mmio_read(kConfig + 0xf8, Width::Qword), 0u) << "where it has ended";
    EXPECT_EQ(place->mmio_read(kMagic, Width::Byte), 0u) << "a register is not";
    EXPECT_EQ(place->mmio_read(kMagic + 2, Width::Dword), 0u);
  }
  place = &disk;
  write(kDeviceFeatureSelect, 1);
  EXPECT_EQ(read(kDeviceFeatures), 1u) << "VERSION_1";
  write(kDeviceFeatureSelect, 2);
  EXPECT_EQ(read(kDeviceFeatures), 0u);
  place = &old_disk;
  EXPECT_TRUE(read(kDeviceFeatures) & 1u << 27) << "ANY_LAYOUT";
  write(kDeviceFeatureSelect, 1);
  EXPECT_EQ(read(kDeviceFeatures), 0u);
}

TEST_F(VirtioMmioTest, ARequestAndItsInterrupt) {
  medium.content[512 * 3] = 0xcd;
  for (const bool legacy : {false, true}) {
    legacy ? start_legacy(kFlush) : start(kFlush);
    const unsigned wire = legacy ? 1 : 0;
    test.memory.put<u8>(kData, 0);
    offer_read(3);
    EXPECT_EQ(done(), 0) << "it takes its time";
    wait();
    EXPECT_EQ(done(), 1);
    EXPECT_EQ(test.memory.get<u8>(kData), 0xcd);
    EXPECT_EQ(test.memory.get<u8>(kRequestStatus), 0);
    EXPECT_TRUE(test.wires.level(wire));
    EXPECT_EQ(read(kInterruptStatus), 1u);
    EXPECT_EQ(read(kInterruptStatus), 1u) << "reading changes nothing";
    write(kInterruptAcknowledge, 2);
    EXPECT_TRUE(test.wires.level(wire)) << "another bit";
    write(kInterruptAcknowledge, 1);
    EXPECT_FALSE(test.wires.level(wire));
    EXPECT_EQ(read(kInterruptStatus), 0u);
  }
}

TEST_F(VirtioMmioTest, ALegacyQueueLiesWhereItsPageIs) {
  start_legacy(kFlush, 0x100);
  EXPECT_EQ(read(kQueuePage), kRings / 0x100);
  offer_read(1);
  wait();
  EXPECT_EQ(done(), 1);
  write(kQueuePage, 0);
  EXPECT_EQ(read(kQueuePage), 0u);
  offer_read(2);
  wait();
  EXPECT_EQ(done(), 1) << "it has none";
  write(kGuestPageSize, 0x123);
  write(kQueueAlign, 3);
  write(kQueuePage, kRings / 0x100);
  EXPECT_EQ(read(kQueuePage), kRings / 0x100) << "sizes that are none change nothing";
  write(kStatus, 0);
  write(kQueuePage, kRings / 0x100);
  EXPECT_EQ(read(kQueuePage), kRings / 0x100) << "the driver may have said it before it resets the device";
  place->reset(ResetKind::Warm);
  write(kQueuePage, kRings / 0x100);
  EXPECT_EQ(read(kQueuePage), 0u) << "the driver has not said how large its pages are";
  write(kGuestPageSize, 1);
  write(kQueuePage, kRings + 1);
  EXPECT_EQ(read(kQueuePage), 0u) << "descriptors are aligned";
  write(kGuestPageSize, 0x8000'0000);
  write(kQueueAlign, 0x8000'0000);
  write(kQueuePage, 0xffff'ffff);
  write(kStatus, 7);
  EXPECT_EQ(read(kStatus), 7u) << "nothing is there: what came later than this interface does not show";
}

TEST_F(VirtioMmioTest, AQueueThatIsReadyStaysWhereItIs) {
  start(kFlush);
  write(kQueueSize, 8);
  write(kQueueDesc, 0x9000);
  write(kQueueDevice + 4, 1);
  offer_read(1);
  wait();
  EXPECT_EQ(done(), 1);
  write(kQueueReady, 0);
  EXPECT_EQ(read(kQueueReady), 0u);
  offer_read(2);
  wait();
  EXPECT_EQ(done(), 1) << "it was given up";
  EXPECT_EQ(read(kStatus), 0xfu);
}

TEST_F(VirtioMmioTest, WhatBreaksTheRulesNeedsAReset) {
  start(kFlush);
  write(kQueueReady, 0);
  write(kQueueDesc, 0x9008);
  write(kQueueReady, 1);
  EXPECT_EQ(read(kStatus), 0x4fu) << "not aligned";
  EXPECT_EQ(read(kInterruptStatus), 2u) << "the driver is told";
  start(kFlush);
  EXPECT_FALSE(test.wires.level(0));
  write(kQueueReady, 0);
  for (const u64 ring : {kQueueDesc, kQueueDriver, kQueueDevice}) write(ring + 4, 0x100);
  write(kQueueReady, 1);
  EXPECT_EQ(read(kStatus), 0xfu);
  write(kQueueNotify, 0);
  EXPECT_EQ(read(kStatus), 0x4fu) << "there is no RAM";
  start(kFlush);
  offer_read(1);
  wait();
  EXPECT_EQ(done(), 1);
}

TEST_F(VirtioMmioTest, ResetForgetsWhatIsInFlight) {
  for (const bool legacy : {false, true}) {
    legacy ? start_legacy(kFlush) : start(kFlush);
    offer_read(1);
    test.clock.step(100);
    write(kStatus, 0);
    test.clock.step(1'000'000);
    EXPECT_EQ(test.memory.get<u8>(kRequestStatus), 0xee);
    EXPECT_FALSE(test.wires.level(legacy ? 1 : 0));
  }
}

TEST_F(VirtioMmioTest, FeaturesThatWereNotOfferedAreRefused) {
  for (const u8 status : {0, 1, 3}) write(kStatus, status);
  write(kDriverFeatures, 1u << 31);
  write(kDriverFeatureSelect, 1);
  write(kDriverFeatures, 1);
  write(kStatus, 0xb);
  EXPECT_EQ(read(kStatus), 3u);
}

TEST_F(VirtioMmioTest, WhatIsYoungerHasNoLegacyInterface) {
  VirtioMmio keyboard(std::make_unique<VirtioInput>(VirtioInput::Kind::Keyboard, test.clock), Version::Legacy,
                      test.memory, test.wires.line(2));
  keyboard.reset(ResetKind::PowerOn);
  EXPECT_EQ(keyboard.mmio_read(kVersion, Width::Dword), 2u);
}

TEST_F(VirtioMmioTest, PlacesWithAndWithoutADevice) {
  VirtioMmioPlaces places(3, Version::Legacy);
  places.put(1, disk);
  EXPECT_EQ(places.bytes(), 0x600u);
  EXPECT_EQ(places.mmio_read(0x208, Width::Dword), 2u);
  EXPECT_EQ(places.mmio_read(0x204, Width::Dword), 2u);
  for (const u64 empty : {0x000u, 0x400u}) {
    EXPECT_EQ(places.mmio_read(empty + kMagic, Width::Dword), 0x74726976u);
    EXPECT_EQ(places.mmio_read(empty + kVersion, Width::Dword), 1u);
    EXPECT_EQ(places.mmio_read(empty + kDeviceId, Width::Dword), 0u);
    EXPECT_EQ(places.mmio_read(empty + kConfig, Width::Dword), 0u);
    places.mmio_write(empty + kStatus, Width::Dword, 1);
    EXPECT_EQ(places.mmio_read(empty + kStatus, Width::Dword), 0u);
  }
  places.mmio_write(0x270, Width::Dword, 1);
  EXPECT_EQ(read(kStatus), 1u);
  EXPECT_EQ(places.mmio_read(0x600, Width::Dword), 0u) << "beyond the last";
  places.mmio_write(~u64{0}, Width::Dword, 1);
}

TEST_F(VirtioMmioTest, SaveAndLoadInTheMiddleOfARequest) {
  for (const bool legacy : {false, true}) {
    legacy ? start_legacy(kFlush, 0x100) : start(kFlush);
    offer_read(1);
    test.clock.step(1000);
    const std::vector<u8> state = saved(*place);
    VirtioMmio other(a_disk(), legacy ? Version::Legacy : Version::Modern, test.memory, test.wires.line(3));
    other.reset(ResetKind::PowerOn);
    ASSERT_TRUE(load(other, state));
    EXPECT_EQ(saved(other), state);
    place->reset(ResetKind::Warm);
    wait();
    EXPECT_EQ(done(), 1) << "the other one has done it";
    EXPECT_TRUE(test.wires.level(3));
    other.reset(ResetKind::Warm);
    for (std::size_t size = 0; size < state.size(); size += 5)
      EXPECT_FALSE(
          load(other, std::vector<u8>(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(size))));
  }
}

/// Everything that a guest can reach: registers, requests that make sense more often than not, and the rings' memory.
TEST_F(VirtioMmioTest, Noise) {
  Noise noise(6001);
  unsigned restarts = 0;
  for (const bool legacy : {false, true}) {
    const auto begin = [&] {
      const u64 features = noise.below(2) == 0 ? kFlush : kFlush | kIndirect | kEventIndex;
      legacy ? start_legacy(static_cast<u32>(features)) : start(features);
    };
    begin();
    for (int i = 0; i < 60'000; ++i) {
      switch (noise.below(12)) {
        case 0: noise.page(*place, VirtioMmio::kBytes); break;
        case 1: noise.page(*place, kConfig); break;
        case 2: write(noise.below(0x40) * 4, noise.below(4)); break;
        case 3: write(kQueueNotify, noise.below(3)); break;
        case 4:
          if (noise.below(10) == 0) test.memory.put<u32>(kRings + (noise.below(0x4000) & ~3u), noise.value());
          break;
        default:
          offer_read(noise.below(4096));
          if (noise.below(4) != 0) test.clock.step(50'000);
      }
      const bool dead = read(kStatus) != (legacy ? 7u : 0xfu);
      if (noise.below(dead ? 3 : 300) != 0) continue;
      place->reset(ResetKind::Warm);
      begin();
      ++restarts;
    }
    Archive archive;
    place->serialize(archive);
    expect_loads(*place, archive);
    EXPECT_FALSE(place->debug_dump().empty());
  }
  EXPECT_GT(restarts, 100u);
  EXPECT_GT(medium.reads, 10'000u) << "the noise reached the medium";
}

}  // namespace
}  // namespace reprise::devices
