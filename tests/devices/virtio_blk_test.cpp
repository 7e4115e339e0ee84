#include "devices/virtio/virtio_blk.h"

#include "tests/devices/fake_disk.h"
#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kIndirect = u64{1} << 28;
constexpr u64 kEventIndex = u64{1} << 29;
constexpr u64 kFlush = u64{1} << 9;
constexpr u64 kHeader = 0x20000, kData = 0x21000, kStatus = 0x30000;
constexpr u64 kDiskSectors = 2048;

class VirtioBlkTest : public ::testing::Test {
 protected:
  VirtioBlkTest() { disk.reset(ResetKind::PowerOn); }

  void put_header(u32 type, u64 sector) {
    test.memory.put<u32>(kHeader, type);
    test.memory.put<u32>(kHeader + 4, 0);
    test.memory.put<u64>(kHeader + 8, sector);
    test.memory.put<u8>(kStatus, 0xee);
  }
  /// Sends a request with one data buffer and waits for it; returns the status byte.
  u8 request(u32 type, u64 sector, u32 bytes, bool to_guest) {
    put_header(type, sector);
    std::vector<Buffer> buffers = {{kHeader, 16, false}};
    if (bytes != 0) buffers.push_back({kData, bytes, to_guest});
    buffers.push_back({kStatus, 1, true});
    driver.send(0, buffers);
    test.clock.step(block_request_ns(bytes));
    driver.take(0);
    return test.memory.get<u8>(kStatus);
  }

  VirtioTestBoard test;
  FakeDisk medium{kDiskSectors * 512};
  OnPci<VirtioBlk> disk{test, medium, "serial-1"};
  VirtioDriver driver{disk, test.memory};
};

TEST_F(VirtioBlkTest, IdentityAndCapabilities) {
  EXPECT_EQ(disk.config_read(0x00, Width::Dword), 0x10011af4u);
  EXPECT_EQ(disk.config_read(0x08, Width::Dword), 0x01000000u);
  EXPECT_EQ(disk.config_read(0x2c, Width::Dword), 0x00021af4u);
  EXPECT_EQ(disk.config_read(0x3d, Width::Byte), 1u);
  std::map<u32, u32> types;  // cfg_type -> offset in the bar
  bool msix = false;
  for (u8 at = static_cast<u8>(disk.config_read(0x34, Width::Byte)); at != 0;
       at = static_cast<u8>(disk.config_read(at + 1, Width::Byte))) {
    const u32 id = disk.config_read(at, Width::Byte);
    if (id == 0x11) {
      msix = true;
      EXPECT_EQ(disk.config_read(at + 2, Width::Word), 1u) << "two vectors";
      EXPECT_EQ(disk.config_read(at + 4, Width::Dword), 1u);
      EXPECT_EQ(disk.config_read(at + 8, Width::Dword), 0x801u);
      continue;
    }
    ASSERT_EQ(id, 9u);
    types[disk.config_read(at + 3, Width::Byte)] = disk.config_read(at + 8, Width::Dword);
  }
  EXPECT_TRUE(msix);
  EXPECT_EQ(types, (std::map<u32, u32>{{1, 0}, {2, 0x3000}, {3, 0x1000}, {4, 0x2000}, {5, 0}}));
}

TEST_F(VirtioBlkTest, Configuration) {
  EXPECT_EQ(driver.read(kDeviceConfig, Width::Dword), kDiskSectors);
  EXPECT_EQ(driver.read(kDeviceConfig + 4, Width::Dword), 0u);
  EXPECT_EQ(driver.read(kDeviceConfig + 12, Width::Dword), 254u) << "seg_max";
  EXPECT_EQ(driver.read(kDeviceConfig + 18, Width::Byte), 16u);
  EXPECT_EQ(driver.read(kDeviceConfig + 20, Width::Dword), 512u);
  EXPECT_EQ(driver.read(kDeviceConfig + 36, Width::Dword), 0x3fffffu);
  EXPECT_EQ(driver.read(kDeviceConfig + 58, Width::Qword), 0u) << "beyond the end";
  EXPECT_EQ(driver.offered(), u64{1} << 32 | kIndirect | kEventIndex | kFlush | 0x6454);
}

TEST_F(VirtioBlkTest, Negotiation) {
  using namespace common_cfg;
  EXPECT_EQ(driver.read(kNumQueues, Width::Word), 1u);
  driver.set_status(3);
  driver.accept(kFlush);  // no VERSION_1
  driver.set_status(0xb);
  EXPECT_EQ(driver.status(), 3) << "features refused";
  driver.accept(u64{1} << 32 | u64{1} << 20);
  driver.set_status(0xb);
  EXPECT_EQ(driver.status(), 3) << "a feature that was not offered";
  driver.set_status(7);
  EXPECT_EQ(driver.status(), 3) << "DRIVER_OK without features";
  driver.accept(u64{1} << 32);
  driver.set_status(0xb);
  EXPECT_EQ(driver.status(), 0xb);
  driver.accept(0);
  driver.write(kDriverFeatureSelect, Width::Dword, 1);
  EXPECT_EQ(driver.read(kDriverFeature, Width::Dword), 1u) << "frozen";
  driver.write(kQueueSize, Width::Word, 100);
  EXPECT_EQ(driver.read(kQueueSize, Width::Word), 256u) << "not a power of two";
  driver.write(kQueueSize, Width::Word, 512);
  EXPECT_EQ(driver.read(kQueueSize, Width::Word), 256u) << "too large";
  driver.write(kQueueVector, Width::Word, 2);
  EXPECT_EQ(driver.read(kQueueVector, Width::Word), 0xffffu) << "no such vector";
  driver.write(kQueueVector, Width::Word, 1);
  EXPECT_EQ(driver.read(kQueueVector, Width::Word), 1u);
  driver.write(kQueueSelect, Width::Word, 1);
  EXPECT_EQ(driver.read(kQueueSize, Width::Word), 0u) << "no such queue";
  driver.set_status(0);
  EXPECT_EQ(driver.status(), 0);
  driver.write(kQueueSelect, Width::Word, 0);
  EXPECT_EQ(driver.read(kQueueVector, Width::Word), 0xffffu);
}

TEST_F(VirtioBlkTest, WriteThenReadAtTheTimeOfTheRequest) {
  driver.start(kFlush);
  for (u32 i = 0; i < 1024; ++i) test.memory.put<u8>(kData + i, static_cast<u8>(i * 7));
  EXPECT_EQ(request(1, 10, 1024, false), 0);
  for (u32 i = 0; i < 1024; ++i) ASSERT_EQ(medium.content[10 * 512 + i], static_cast<u8>(i * 7));
  EXPECT_EQ(medium.flushes, 0u);

  put_header(0, 10);
  driver.send(
      0,
      {{kHeader, 16, false}, {kData + 0x1000, 1000, true}, {kData + 0x2000, 24, true}, {kStatus, 1, true}});
  test.clock.step(block_request_ns(1024) - 1);
  EXPECT_EQ(driver.used_index(0), 1);
  EXPECT_EQ(test.memory.get<u8>(kStatus), 0xee);
  EXPECT_FALSE(test.wires.level(0) && driver.read(kIsr, Width::Byte) == 0);
  test.clock.step(1);
  const auto used = driver.take(0);
  EXPECT_EQ(used.bytes, 1025u);
  EXPECT_EQ(test.memory.get<u8>(kStatus), 0);
  for (u32 i = 0; i < 1000; ++i) ASSERT_EQ(test.memory.get<u8>(kData + 0x1000 + i), static_cast<u8>(i * 7));
  for (u32 i = 1000; i < 1024; ++i)
    ASSERT_EQ(test.memory.get<u8>(kData + 0x2000 + i - 1000), static_cast<u8>(i * 7));
}

TEST_F(VirtioBlkTest, RequestsAreSerialised) {
  driver.start(kFlush);
  put_header(0, 0);
  for (u16 i = 0; i < 3; ++i) {
    driver.send(0, {{kHeader, 16, false}, {kData + i * 0x1000u, 512, true}, {kStatus + i, 1, true}},
                static_cast<u16>(4 * i));
  }
  for (u16 done = 0; done < 3; ++done) {
    EXPECT_EQ(driver.used_index(0), done);
    test.clock.step(block_request_ns(512));
  }
  EXPECT_EQ(driver.used_index(0), 3);
}

TEST_F(VirtioBlkTest, InterruptPinAndIsr) {
  driver.start(kFlush);
  request(0, 0, 512, true);
  EXPECT_TRUE(test.wires.level(0));
  EXPECT_EQ(disk.config_read(0x06, Width::Word) & 8u, 8u);
  disk.config_write(0x04, Width::Word, 0x406);
  EXPECT_FALSE(test.wires.level(0)) << "interrupt disable";
  disk.config_write(0x04, Width::Word, 0x006);
  EXPECT_TRUE(test.wires.level(0));
  EXPECT_EQ(driver.read(kIsr, Width::Byte), 1u);
  EXPECT_FALSE(test.wires.level(0));
  EXPECT_EQ(driver.read(kIsr, Width::Byte), 0u);
  test.memory.put<u16>(VirtioDriver::avail(0), 1);  // VIRTQ_AVAIL_F_NO_INTERRUPT
  request(0, 0, 512, true);
  EXPECT_FALSE(test.wires.level(0));
}

TEST_F(VirtioBlkTest, MessagesAndMasks) {
  driver.start(kFlush);
  driver.set_status(0);
  driver.set_status(3);
  driver.accept(u64{1} << 32 | kFlush);
  driver.set_status(0xb);
  driver.set_up_queue(0, 16, 1);
  driver.set_status(0xf);
  test.memory.put<u32>(VirtioDriver::avail(0), 0);
  test.memory.put<u32>(VirtioDriver::used(0), 0);
  const u8 msix = static_cast<u8>(disk.config_read(0x34, Width::Byte));
  driver.msix().mmio_write(0x10, Width::Dword, 0xfee01000);
  driver.msix().mmio_write(0x14, Width::Dword, 0);
  driver.msix().mmio_write(0x18, Width::Dword, 0x4041);
  disk.config_write(static_cast<u8>(msix + 2), Width::Word, 0x8000);
  EXPECT_EQ(disk.config_read(static_cast<u8>(msix + 2), Width::Word), 0x8001u);

  VirtioDriver fresh(disk, test.memory);
  const auto complete = [&] {
    put_header(0, 0);
    fresh.send(0, {{kHeader, 16, false}, {kData, 512, true}, {kStatus, 1, true}});
    test.clock.step(block_request_ns(512));
  };
  complete();
  EXPECT_TRUE(test.messages.sent.empty()) << "masked since reset";
  EXPECT_EQ(driver.msix().mmio_read(0x800, Width::Qword), 2u);
  driver.msix().mmio_write(0x1c, Width::Dword, 0);
  EXPECT_EQ(test.messages.sent, (std::vector<FakeMsi::Message>{{0xfee01000, 0x4041}}))
      << "pending, then unmasked";
  EXPECT_EQ(driver.msix().mmio_read(0x800, Width::Dword), 0u);
  complete();
  EXPECT_EQ(test.messages.sent.size(), 2u);
  disk.config_write(static_cast<u8>(msix + 2), Width::Word, 0xc000);
  complete();
  EXPECT_EQ(test.messages.sent.size(), 2u) << "function mask";
  disk.config_write(static_cast<u8>(msix + 2), Width::Word, 0x8000);
  EXPECT_EQ(test.messages.sent.size(), 3u);
  EXPECT_FALSE(test.wires.level(0)) << "no pin with MSI-X";
}

TEST_F(VirtioBlkTest, EventIndexSuppressesInterruptsAndAsksForNotification) {
  driver.start(kFlush | kEventIndex);
  driver.kick(0);
  EXPECT_EQ(test.memory.get<u16>(driver.avail_event(0)), 0u);
  test.memory.put<u16>(driver.used_event(0), 1);  // interrupt when the second is done
  request(0, 0, 512, true);
  driver.read(kIsr, Width::Byte);  // the first completion always interrupts
  EXPECT_EQ(test.memory.get<u16>(driver.avail_event(0)), 1u);
  test.memory.put<u16>(driver.used_event(0), 2);
  request(0, 0, 512, true);
  EXPECT_EQ(driver.read(kIsr, Width::Byte), 0u);
  request(0, 0, 512, true);
  EXPECT_EQ(driver.read(kIsr, Width::Byte), 1u);
  EXPECT_EQ(test.memory.get<u16>(driver.avail_event(0)), 3u);
}

TEST_F(VirtioBlkTest, IndirectDescriptors) {
  driver.start(kFlush | kIndirect);
  medium.content[512 * 3] = 0xab;
  put_header(0, 3);
  driver.send_indirect(
      0, {{kHeader, 8, false}, {kHeader + 8, 8, false}, {kData, 512, true}, {kStatus, 1, true}});
  test.clock.step(block_request_ns(512));
  EXPECT_EQ(driver.take(0).bytes, 513u);
  EXPECT_EQ(test.memory.get<u8>(kData), 0xab);
  EXPECT_EQ(test.memory.get<u8>(kStatus), 0);
}

TEST_F(VirtioBlkTest, LegacyRegisters) {
  PioHandler& ports = *disk.bar(0).ports;
  EXPECT_EQ(disk.bar(0).bytes, 128u);
  EXPECT_EQ(in32(ports, 0), kIndirect | kEventIndex | kFlush | 0x6454 | 1u << 27) << "no VERSION_1";
  EXPECT_EQ(ports.pio_read(0x0c, Width::Word), 256u);
  EXPECT_EQ(in32(ports, 0x14), kDiskSectors) << "configuration, without MSI-X";
  EXPECT_EQ(in8(ports, 0x14 + 18), 16u);
  EXPECT_EQ(in32(ports, 0x14 + 58), 0u) << "beyond the end";
  disk.config_write(0x04, Width::Word, 0x0001);
  const u8 msix = static_cast<u8>(disk.config_read(0x34, Width::Byte));
  disk.config_write(static_cast<u8>(msix + 2), Width::Word, 0x8000);
  EXPECT_EQ(in32(ports, 0x18), kDiskSectors) << "with MSI-X";
  EXPECT_EQ(in32(ports, 0x14), 0xffff'ffffu) << "no vectors";
  ports.pio_write(0x14, Width::Word, 0);
  ports.pio_write(0x16, Width::Word, 1);
  EXPECT_EQ(in32(ports, 0x14), 0x0001'0000u);
  ports.pio_write(0x16, Width::Word, 2);
  EXPECT_EQ(in32(ports, 0x14), 0xffff'0000u) << "no such vector";
  ports.pio_write(0x0e, Width::Word, 1);
  EXPECT_EQ(ports.pio_read(0x0c, Width::Word), 0u) << "no such queue";
  out32(ports, 8, 1);
  EXPECT_EQ(in32(ports, 8), 0u);
  out32(ports, 4, 0xffff'ffff);
  EXPECT_EQ(in32(ports, 4), in32(ports, 0)) << "only what is offered";
  out8(ports, 0x12, 1);
  EXPECT_FALSE(disk.bus_master());
  out8(ports, 0x12, 3);
  EXPECT_TRUE(disk.bus_master()) << "as for Linux before 2.6.34";
  EXPECT_EQ(in8(ports, 0x12), 3);
  out8(ports, 0x12, 0);
  EXPECT_EQ(in8(ports, 0x12), 0);
  EXPECT_EQ(in32(ports, 4), 0u) << "reset";
}

TEST_F(VirtioBlkTest, LegacyDriver) {
  for (const u64 features : {u64{0}, kFlush, kFlush | kIndirect | kEventIndex}) {
    driver.start_legacy(static_cast<u32>(features));
    for (u32 i = 0; i < 1024; ++i) test.memory.put<u8>(kData + i, static_cast<u8>(i * 5 + features));
    EXPECT_EQ(request(1, 20, 1024, false), 0);
    EXPECT_EQ(medium.flushes, 1u) << "only without FLUSH";
    for (u32 i = 0; i < 1024; ++i) test.memory.put<u8>(kData + i, 0);
    EXPECT_EQ(request(0, 20, 1024, true), 0);
    for (u32 i = 0; i < 1024; ++i)
      ASSERT_EQ(test.memory.get<u8>(kData + i), static_cast<u8>(i * 5 + features));
    EXPECT_TRUE(test.wires.level(0));
    EXPECT_EQ(in8(*disk.bar(0).ports, 0x13), 1);
    EXPECT_FALSE(test.wires.level(0));
  }
}

TEST_F(VirtioBlkTest, LegacyDriversMayBeginBeforeDriverOk) {
  driver.start_legacy(0);
  out8(*disk.bar(0).ports, 0x12, 3);
  medium.content[512] = 0xcd;
  EXPECT_EQ(request(0, 1, 512, true), 0);
  EXPECT_EQ(test.memory.get<u8>(kData), 0xcd);
}

TEST_F(VirtioBlkTest, TheInterfacesFollowEachOtherAfterAReset) {
  medium.content[512] = 0xcd;
  const auto reads = [&] {
    test.memory.put<u8>(kData, 0);
    EXPECT_EQ(request(0, 1, 512, true), 0);
    return test.memory.get<u8>(kData) == 0xcd;
  };
  for (int round = 0; round < 2; ++round) {
    driver.start_legacy(static_cast<u32>(kIndirect));
    EXPECT_TRUE(reads());
    driver.start(kFlush);
    EXPECT_TRUE(reads());
  }
  driver.set_status(0);
  EXPECT_EQ(in32(*disk.bar(0).ports, 8), 0u);
}

TEST_F(VirtioBlkTest, ALegacyDriverThatBreaksTheRulesIsLeftAloneUntilAReset) {
  driver.start_legacy(0);
  put_header(0, 0);
  driver.send(0, {{kHeader, 4, false}, {kStatus, 1, true}});
  test.clock.step(1'000'000);
  EXPECT_EQ(in8(*disk.bar(0).ports, 0x12), 7) << "NEEDS_RESET came later";
  EXPECT_FALSE(test.wires.level(0));
  EXPECT_EQ(driver.used_index(0), 0);
  driver.start_legacy(0);
  EXPECT_EQ(request(0, 0, 512, true), 0);
}

TEST_F(VirtioBlkTest, ALegacyQueueEndsWithPageZero) {
  driver.start_legacy(0);
  PioHandler& ports = *disk.bar(0).ports;
  put_header(0, 0);
  driver.send(0, {{kHeader, 16, false}, {kData, 512, true}, {kStatus, 1, true}});
  out32(ports, 8, 0);
  EXPECT_EQ(in32(ports, 8), 0u);
  test.clock.step(1'000'000);
  EXPECT_EQ(driver.used_index(0), 0) << "what was under way is not reported";
}

TEST_F(VirtioBlkTest, SaveAndLoadOfALegacyDriver) {
  driver.start_legacy(static_cast<u32>(kIndirect));
  medium.content[512] = 0xcd;
  put_header(0, 1);
  driver.send(0, {{kHeader, 16, false}, {kData, 512, true}, {kStatus, 1, true}});
  const std::vector<u8> state = saved(disk);
  OnPci<VirtioBlk> other{test, medium, "serial-1"};
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  disk.reset(ResetKind::Warm);
  test.clock.step(block_request_ns(512));
  EXPECT_EQ(test.memory.get<u8>(kData), 0xcd);
  EXPECT_EQ(driver.used_index(0), 1);
}

TEST_F(VirtioBlkTest, FlushReachesTheMedium) {
  driver.start(kFlush);
  EXPECT_EQ(request(4, 0, 0, false), 0);
  EXPECT_EQ(medium.flushes, 1u);
  medium.fail_flush = true;
  EXPECT_EQ(request(4, 0, 0, false), 1);
}

TEST_F(VirtioBlkTest, WithoutFlushesEachWriteIsFlushed) {
  driver.start(0);
  EXPECT_EQ(request(1, 0, 512, false), 0);
  EXPECT_EQ(medium.flushes, 1u);
  EXPECT_EQ(request(0, 0, 512, true), 0);
  EXPECT_EQ(medium.flushes, 1u);
}

TEST_F(VirtioBlkTest, GetId) {
  driver.start(kFlush);
  EXPECT_EQ(request(8, 0, 20, true), 0);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(&test.memory.bytes[kData])), "serial-1");
}

TEST_F(VirtioBlkTest, DiscardAndWriteZeroes) {
  driver.start(kFlush);
  std::fill(medium.content.begin(), medium.content.end(), u8{0x55});
  const auto range = [&](unsigned index, u64 sector, u32 sectors, u32 flags) {
    test.memory.put<u64>(kData + 16 * index, sector);
    test.memory.put<u32>(kData + 16 * index + 8, sectors);
    test.memory.put<u32>(kData + 16 * index + 12, flags);
  };
  range(0, 4, 2, 0);
  range(1, 100, 1, 0);
  EXPECT_EQ(request(11, 0, 32, false), 0);
  EXPECT_EQ(medium.content[4 * 512], 0);
  EXPECT_EQ(medium.content[6 * 512 - 1], 0);
  EXPECT_EQ(medium.content[6 * 512], 0x55);
  EXPECT_EQ(medium.content[100 * 512], 0);
  range(0, 8, 1, 1);
  EXPECT_EQ(request(13, 0, 16, false), 0);
  EXPECT_EQ(medium.content[8 * 512], 0);
  EXPECT_EQ(request(11, 0, 16, false), 2) << "unmap flag on discard";
  range(0, 0, 1, 2);
  EXPECT_EQ(request(13, 0, 16, false), 2) << "reserved flag";
  range(0, 20, 1, 0);
  range(1, kDiskSectors, 1, 0);
  EXPECT_EQ(request(13, 0, 32, false), 1) << "out of range";
  EXPECT_EQ(medium.content[20 * 512], 0x55) << "nothing was done";
  EXPECT_EQ(request(13, 0, 8, false), 1) << "half a range";
  range(0, ~u64{0}, ~u32{0}, 0);
  EXPECT_EQ(request(13, 0, 16, false), 1);
}

TEST_F(VirtioBlkTest, ErrorsOfRequestsAndOfTheHost) {
  driver.start(kFlush);
  EXPECT_EQ(request(0, kDiskSectors, 512, true), 1) << "beyond the end";
  EXPECT_EQ(request(0, kDiskSectors - 1, 1024, true), 1) << "over the end";
  EXPECT_EQ(request(0, ~u64{0}, 512, true), 1);
  EXPECT_EQ(request(0, 0, 100, true), 1) << "not whole sectors";
  EXPECT_EQ(request(2, 0, 512, true), 2) << "unknown type";
  medium.fail_read = true;
  EXPECT_EQ(request(0, 0, 512, true), 1);
  medium.fail_write = true;
  EXPECT_EQ(request(1, 0, 512, false), 1);
  put_header(0, 0);
  medium.fail_read = false;
  driver.send(0, {{kHeader, 16, false}, {0xfff0'0000, 512, true}, {kStatus, 1, true}});
  test.clock.step(block_request_ns(512));
  driver.take(0);
  EXPECT_EQ(test.memory.get<u8>(kStatus), 1) << "data that are no RAM";
  EXPECT_EQ(driver.status(), 0xf) << "the device works on";
}

TEST_F(VirtioBlkTest, ReadOnlyMedium) {
  FakeDisk fixed(4096);
  fixed.is_read_only = true;
  OnPci<VirtioBlk> card(test, fixed, "");
  card.reset(ResetKind::PowerOn);
  VirtioDriver own(card, test.memory);
  EXPECT_EQ(own.offered() & 0x6020, 0x0020u);
  own.start(kFlush);
  put_header(1, 0);
  own.send(0, {{kHeader, 16, false}, {kData, 512, false}, {kStatus, 1, true}});
  test.clock.step(block_request_ns(512));
  EXPECT_EQ(test.memory.get<u8>(kStatus), 1);
}

TEST_F(VirtioBlkTest, NonsenseNeedsAReset) {
  using Breakage = std::function<void()>;
  const std::vector<std::pair<const char*, Breakage>> cases = {
      {"index too far ahead", [&] { test.memory.put<u16>(VirtioDriver::avail(0) + 2, 17); }},
      {"head out of range",
       [&] {
         test.memory.put<u16>(VirtioDriver::avail(0) + 4, 16);
         test.memory.put<u16>(VirtioDriver::avail(0) + 2, 1);
       }},
      {"a loop",
       [&] {
         driver.put_descriptor(VirtioDriver::desc(0), 0, kHeader, 16, kDescNext, 0);
         driver.offer(0, 0);
       }},
      {"next out of range",
       [&] {
         driver.put_descriptor(VirtioDriver::desc(0), 0, kHeader, 16, kDescNext, 16);
         driver.offer(0, 0);
       }},
      {"readable after writable",
       [&] {
         driver.put_chain(VirtioDriver::desc(0), 0, {{kStatus, 1, true}, {kHeader, 16, false}});
         driver.offer(0, 0);
       }},
      {"address that wraps",
       [&] {
         driver.put_chain(VirtioDriver::desc(0), 0, {{kHeader, 16, false}, {~u64{0} - 3, 512, true}});
         driver.offer(0, 0);
       }},
      {"no status byte",
       [&] {
         driver.put_chain(VirtioDriver::desc(0), 0, {{kHeader, 16, false}});
         driver.offer(0, 0);
       }},
      {"short header",
       [&] {
         driver.put_chain(VirtioDriver::desc(0), 0, {{kHeader, 15, false}, {kStatus, 1, true}});
         driver.offer(0, 0);
       }},
      {"indirect inside indirect",
       [&] {
         driver.put_descriptor(VirtioDriver::indirect(0), 0, VirtioDriver::indirect(0), 16, kDescIndirect, 0);
         driver.put_descriptor(VirtioDriver::desc(0), 0, VirtioDriver::indirect(0), 16, kDescIndirect, 0);
         driver.offer(0, 0);
       }},
      {"indirect table of no whole descriptors",
       [&] {
         driver.put_descriptor(VirtioDriver::desc(0), 0, VirtioDriver::indirect(0), 17, kDescIndirect, 0);
         driver.offer(0, 0);
       }},
      {"huge indirect table",
       [&] {
         driver.put_descriptor(VirtioDriver::desc(0), 0, VirtioDriver::indirect(0), 0xffff'fff0,
                               kDescIndirect, 0);
         driver.offer(0, 0);
       }},
  };
  for (const auto& [what, breakage] : cases) {
    driver.start(kFlush | kIndirect);
    driver.read(kIsr, Width::Byte);
    breakage();
    driver.kick(0);
    test.clock.step(1'000'000);
    EXPECT_EQ(driver.status(), 0x4f) << what;
    EXPECT_EQ(driver.read(kIsr, Width::Byte), 2u) << what << ": configuration interrupt";
    EXPECT_EQ(driver.used_index(0), 0) << what;
  }
  driver.start(kFlush);
  EXPECT_EQ(request(0, 0, 512, true), 0) << "works again after a reset";
}

TEST_F(VirtioBlkTest, MisplacedRings) {
  driver.start(kFlush);
  driver.set_status(0);
  driver.set_status(3);
  driver.accept(u64{1} << 32);
  driver.set_status(0xb);
  driver.write(common_cfg::kQueueDesc, Width::Dword, 0x1008);
  driver.write(common_cfg::kQueueEnable, Width::Word, 1);
  EXPECT_EQ(driver.read(common_cfg::kQueueEnable, Width::Word), 0u);
  EXPECT_EQ(driver.status(), 0x4b);
  driver.set_status(0);
  driver.set_status(3);
  driver.accept(u64{1} << 32);
  driver.set_status(0xb);
  driver.set_up_queue(0, 16);
  driver.set_status(0);
  driver.start(kFlush);
  driver.write(common_cfg::kQueueDesc, Width::Dword, 0x9000);
  EXPECT_EQ(driver.read(common_cfg::kQueueDesc, Width::Dword), VirtioDriver::desc(0))
      << "fixed while enabled";
}

TEST_F(VirtioBlkTest, WindowInConfigurationSpace) {
  driver.start(kFlush);
  u8 at = static_cast<u8>(disk.config_read(0x34, Width::Byte));
  while (disk.config_read(at, Width::Byte) != 9 ||
         disk.config_read(static_cast<u8>(at + 3), Width::Byte) != 5)
    at = static_cast<u8>(disk.config_read(static_cast<u8>(at + 1), Width::Byte));
  const auto point = [&](u32 bar, u32 offset, u32 bytes) {
    disk.config_write(static_cast<u8>(at + 4), Width::Byte, bar);
    disk.config_write(static_cast<u8>(at + 8), Width::Dword, offset);
    disk.config_write(static_cast<u8>(at + 12), Width::Dword, bytes);
  };
  point(4, common_cfg::kStatus, 1);
  EXPECT_EQ(disk.config_read(static_cast<u8>(at + 16), Width::Byte), 0xfu);
  point(4, kDeviceConfig, 4);
  EXPECT_EQ(disk.config_read(static_cast<u8>(at + 16), Width::Dword), kDiskSectors);
  point(4, 0x3ffc, 4);
  disk.config_read(static_cast<u8>(at + 16), Width::Dword);
  for (const auto& [bar, offset, bytes] : {std::tuple{0u, 0u, 4u},
                                           {4u, 0x4000u, 4u},
                                           {4u, 2u, 4u},
                                           {4u, ~0u, 1u},
                                           {4u, 0u, 3u},
                                           {255u, 0u, 4u}}) {
    point(bar, offset, bytes);
    disk.config_write(static_cast<u8>(at + 16), Width::Dword, 0x12345678);
    EXPECT_EQ(disk.config_read(static_cast<u8>(at + 16), Width::Dword), 0x12345678u) << "points nowhere";
  }
  point(4, common_cfg::kStatus, 1);
  disk.config_write(static_cast<u8>(at + 16), Width::Byte, 0);
  EXPECT_EQ(driver.status(), 0) << "a write resets the device";
}

TEST_F(VirtioBlkTest, NoBusMasterNoWork) {
  driver.start(kFlush);
  disk.config_write(0x04, Width::Word, 0x0002);
  put_header(0, 0);
  driver.send(0, {{kHeader, 16, false}, {kData, 512, true}, {kStatus, 1, true}});
  test.clock.step(1'000'000);
  EXPECT_EQ(driver.used_index(0), 0);
  EXPECT_EQ(driver.status(), 0xf);
  disk.config_write(0x04, Width::Word, 0x0006);
  test.clock.step(1'000'000);
  EXPECT_EQ(driver.used_index(0), 1);
}

TEST_F(VirtioBlkTest, SaveAndLoadInTheMiddleOfARequest) {
  driver.start(kFlush | kIndirect);
  medium.content[512 * 3] = 0xcd;
  put_header(0, 3);
  driver.send_indirect(0, {{kHeader, 16, false}, {kData, 512, true}, {kStatus, 1, true}});
  test.clock.step(1000);
  const std::vector<u8> state = saved(disk);

  OnPci<VirtioBlk> other(test, medium, "serial-1");
  other.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(other, state));
  EXPECT_EQ(saved(other), state);
  disk.reset(ResetKind::Warm);
  test.clock.step(block_request_ns(512) - 1000);
  EXPECT_EQ(driver.take(0).bytes, 513u);
  EXPECT_EQ(test.memory.get<u8>(kData), 0xcd);

  for (std::size_t size = 0; size < state.size(); size += 7) {
    std::vector<u8> cut(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(load(other, cut));
  }
}

TEST_F(VirtioBlkTest, ResetForgetsWhatIsInFlight) {
  driver.start(kFlush);
  put_header(0, 0);
  driver.send(0, {{kHeader, 16, false}, {kData, 512, true}, {kStatus, 1, true}});
  driver.set_status(0);
  test.clock.step(1'000'000);
  EXPECT_EQ(test.memory.get<u8>(kStatus), 0xee);
  EXPECT_EQ(driver.used_index(0), 0);
  EXPECT_FALSE(test.wires.level(0));
}

TEST_F(VirtioBlkTest, Noise) {
  driver.start(kFlush | kIndirect | kEventIndex);
  virtio_noise(disk, test, 5001, 60'000, kFlush | kIndirect | kEventIndex, 1);
  driver.start(0);
  virtio_noise(disk, test, 5002, 60'000, 0, 1);
  EXPECT_GT(medium.reads, 100u) << "the noise reached the medium";
  EXPECT_GT(medium.writes, 100u);
  EXPECT_GT(medium.flushes, 100u);
  EXPECT_GT(medium.discards, 0u);
}

}  // namespace
}  // namespace reprise::devices
