#include "devices/virtio/virtio_scsi.h"

#include "devices/scsi/scsi_cdrom.h"
#include "devices/scsi/scsi_disk.h"
#include "tests/devices/fake_disk.h"
#include "tests/devices/virtio_driver.h"

namespace reprise::devices {
namespace {

using namespace testing;
using scsi::ScsiCdrom;
using scsi::ScsiDisk;

constexpr u64 kHotplug = u64{1} << 1, kChange = u64{1} << 2;
constexpr unsigned kControl = 0, kEvents = 1, kRequests = 2;
constexpr u64 kHeader = 0x20000, kOut = 0x21000, kAnswer = 0x30000, kIn = 0x31000;
constexpr u32 kHeaderBytes = 51, kAnswerBytes = 108;
constexpr u64 kBlocks = 2048;
constexpr u8 kOk = 0, kOverrun = 1, kAborted = 2, kBadTarget = 3, kReset = 4, kFailure = 9, kSucceeded = 10,
             kRejected = 11, kIncorrectLun = 12;
constexpr u32 kGood = 0x000000;

using Bytes = std::vector<u8>;

void put_be(Bytes& bytes, u64 value, unsigned count) {
  for (unsigned i = count; i-- > 0;) bytes.push_back(static_cast<u8>(value >> (8 * i)));
}
u64 big_endian(std::span<const u8> bytes, std::size_t at, unsigned count) {
  u64 value = 0;
  for (unsigned i = 0; i < count; ++i) value = value << 8 | bytes[at + i];
  return value;
}

class VirtioScsiTest : public ::testing::Test {
 protected:
  VirtioScsiTest() { card.reset(ResetKind::PowerOn); }

  std::vector<VirtioScsi::UnitPlace> units() {
    std::vector<VirtioScsi::UnitPlace> out;
    out.push_back({0, 0, std::make_unique<ScsiDisk>(&medium, "SER1")});
    auto drive = std::make_unique<ScsiCdrom>(disc, "SER2");
    cdrom = &drive->drive();
    out.push_back({3, 2, std::move(drive)});
    return out;
  }
  void put_header(const Bytes& command, unsigned target, unsigned lun, u64 id, u64 at = kHeader) {
    for (u32 i = 0; i < kHeaderBytes; ++i) test.memory.put<u8>(at + i, 0);
    test.memory.put<u8>(at, 1);
    test.memory.put<u8>(at + 1, static_cast<u8>(target));
    test.memory.put<u8>(at + 2, 0x40);
    test.memory.put<u8>(at + 3, static_cast<u8>(lun));
    test.memory.put<u64>(at + 8, id);
    for (std::size_t i = 0; i < command.size(); ++i) test.memory.put<u8>(at + 19 + i, command[i]);
  }
  struct Result {
    u8 response = 0xff;
    u8 status = 0xff;
    u32 sense = 0;  // key, code, qualifier
    u32 residual = 0;
    Bytes data = {};
  };
  Result answer_at(u64 at, u64 data, u32 in_bytes) {
    Result result{.response = test.memory.get<u8>(at + 11), .status = test.memory.get<u8>(at + 10)};
    result.residual = test.memory.get<u32>(at + 4);
    if (test.memory.get<u32>(at) != 0)
      result.sense = u32{test.memory.get<u8>(at + 14)} << 16 | u32{test.memory.get<u8>(at + 24)} << 8 |
                     test.memory.get<u8>(at + 25);
    for (u32 i = 0; i + result.residual < in_bytes; ++i) result.data.push_back(test.memory.get<u8>(data + i));
    return result;
  }
  Result send(const Bytes& command, u32 in_bytes, const Bytes& out = {}, unsigned target = 0,
              unsigned lun = 0) {
    put_header(command, target, lun, 1);
    for (std::size_t i = 0; i < out.size(); ++i) test.memory.put<u8>(kOut + i, out[i]);
    std::vector<Buffer> buffers = {{kHeader, kHeaderBytes, false}};
    if (!out.empty()) buffers.push_back({kOut, static_cast<u32>(out.size()), false});
    buffers.push_back({kAnswer, kAnswerBytes, true});
    if (in_bytes != 0) buffers.push_back({kIn, in_bytes, true});
    driver.send(kRequests, buffers);
    test.clock.step(block_request_ns(in_bytes + out.size()));
    driver.take(kRequests);
    return answer_at(kAnswer, kIn, in_bytes);
  }
  Result to_cdrom(const Bytes& command, u32 in_bytes) { return send(command, in_bytes, {}, 3, 2); }
  /// Past the attentions of power-on.
  void begin(u64 features = 0) {
    driver.start(features, 3, 128);
    EXPECT_EQ(send({0}, 0).sense, 0x062900u);
    EXPECT_EQ(to_cdrom({0}, 0).sense, 0x062900u);
  }
  u8 manage(u32 function, unsigned target = 0, unsigned lun = 0, u64 id = 0) {
    test.memory.put<u32>(kOut, 0);
    test.memory.put<u32>(kOut + 4, function);
    test.memory.put<u64>(kOut + 8, 1 | u64{target} << 8 | u64{lun} << 24);
    test.memory.put<u64>(kOut + 16, id);
    driver.send(kControl, {{kOut, 24, false}, {kAnswer, 1, true}});
    test.clock.step(1'000);
    driver.take(kControl);
    return test.memory.get<u8>(kAnswer);
  }
  static Bytes rw10(u8 operation, u32 block, u16 count, u8 flags = 0) {
    Bytes command = {operation, flags};
    put_be(command, block, 4);
    command.push_back(0);
    put_be(command, count, 2);
    command.push_back(0);
    return command;
  }

  VirtioTestBoard test;
  FakeDisk medium{kBlocks * 512};
  FakeDisk disc{100 * 2048};
  ata::Cdrom* cdrom = nullptr;
  OnPci<VirtioScsi> card{test, units()};
  VirtioDriver driver{card, test.memory};
};

TEST_F(VirtioScsiTest, IdentityAndConfiguration) {
  EXPECT_EQ(card.config_read(0x00, Width::Dword), 0x10041af4u);
  EXPECT_EQ(card.config_read(0x08, Width::Dword), 0x01000000u);
  EXPECT_EQ(card.config_read(0x2c, Width::Dword), 0x00081af4u);
  const auto config = [&](u32 offset) { return driver.read(kDeviceConfig + offset, Width::Dword); };
  EXPECT_EQ(config(0), 1u) << "request queues";
  EXPECT_EQ(config(4), 254u);
  EXPECT_EQ(config(16), 16u);
  EXPECT_EQ(config(20), 96u);
  EXPECT_EQ(config(24), 32u);
  EXPECT_EQ(config(28), 255u << 16) << "channel 0, ids to 255";
  EXPECT_EQ(config(32), 255u);
  EXPECT_EQ(config(36), 0u) << "beyond the end";
  driver.write(kDeviceConfig + 20, Width::Dword, 18);
  driver.write(kDeviceConfig, Width::Dword, 7);
  EXPECT_EQ(config(20), 18u);
  EXPECT_EQ(config(0), 1u) << "read-only";
  driver.start(0, 3);
  EXPECT_EQ(config(20), 96u) << "a reset puts it back";
}

TEST_F(VirtioScsiTest, WhatIsThere) {
  driver.start(0, 3);
  const Result inquiry = send({0x12, 0, 0, 0, 36, 0}, 36);
  EXPECT_EQ(inquiry.response, kOk);
  EXPECT_EQ(inquiry.status, 0) << "an attention does not keep it from answering";
  EXPECT_EQ(inquiry.data[0], 0);
  EXPECT_EQ(std::string(inquiry.data.begin() + 8, inquiry.data.end()), "REPRISE DISK            1.0 ");
  const Result other = to_cdrom({0x12, 0, 0, 0, 36, 0}, 36);
  EXPECT_EQ(other.data[0], 5);
  EXPECT_EQ(other.data[1], 0x80);
  EXPECT_EQ(std::string(other.data.begin() + 16, other.data.begin() + 22), "CD-ROM");
  EXPECT_EQ(send({0x12, 0, 0, 0, 36, 0}, 36, {}, 0, 1).data[0], 0x7f) << "no such unit";
  EXPECT_EQ(send({0}, 0, {}, 0, 1).sense, 0x052500u);
  EXPECT_EQ(send({0}, 0, {}, 1, 0).response, kBadTarget);
  Bytes report = {0xa0, 0, 0, 0, 0, 0};
  put_be(report, 24, 4);
  report.resize(12);
  EXPECT_EQ(send(report, 24).data, (Bytes{0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(to_cdrom(report, 24).data,
            (Bytes{0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0}));
}

TEST_F(VirtioScsiTest, VitalProductData) {
  begin();
  const auto page = [&](u8 number, unsigned lun = 0, unsigned target = 0) {
    return send({0x12, 1, number, 0, 255, 0}, 255, {}, target, lun);
  };
  EXPECT_EQ(page(0).data, (Bytes{0, 0, 0, 6, 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2}));
  EXPECT_EQ(page(0, 2, 3).data, (Bytes{5, 0, 0, 3, 0x00, 0x80, 0x83}));
  EXPECT_EQ(page(0x80).data, (Bytes{0, 0x80, 0, 4, 'S', 'E', 'R', '1'}));
  EXPECT_EQ(page(0x83, 2, 3).data, (Bytes{5, 0x83, 0, 8, 2, 0, 0, 4, 'S', 'E', 'R', '2'}));
  const Result limits = page(0xb0);
  ASSERT_EQ(limits.data.size(), 64u);
  EXPECT_EQ(big_endian(limits.data, 20, 4), 0x3fffffu) << "blocks of UNMAP";
  EXPECT_EQ(big_endian(limits.data, 36, 8), 0xffffu) << "blocks of WRITE SAME";
  EXPECT_EQ(page(0xc0).sense, 0x052400u);
  EXPECT_EQ(send({0x12, 0, 0x80, 0, 255, 0}, 255).sense, 0x052400u) << "a page without EVPD";
  medium.is_read_only = true;
  EXPECT_EQ(page(0).data, (Bytes{0, 0, 0, 5, 0x00, 0x80, 0x83, 0xb0, 0xb1}));
}

TEST_F(VirtioScsiTest, CapacityAndModePages) {
  begin();
  const Result small = send({0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 8);
  EXPECT_EQ(small.data, (Bytes{0, 0, 7, 255, 0, 0, 2, 0}));
  Bytes command = {0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0};
  const Result large = send(command, 32);
  EXPECT_EQ(big_endian(large.data, 0, 8), kBlocks - 1);
  EXPECT_EQ(big_endian(large.data, 8, 4), 512u);
  EXPECT_EQ(large.data[14], 0xc0) << "thin, and reads as zeros";
  const Result all = send({0x1a, 0, 0x3f, 0, 255, 0}, 255);
  ASSERT_EQ(all.data.size(), all.data[0] + 1u);
  EXPECT_EQ(all.data[2], 0x10);
  EXPECT_EQ(all.data[3], 8) << "a block descriptor";
  EXPECT_EQ(all.residual, 255 - all.data.size());
  const Result cache = send({0x5a, 8, 8, 0, 0, 0, 0, 0, 64, 0}, 64);
  EXPECT_EQ(Bytes(cache.data.begin() + 8, cache.data.begin() + 11), (Bytes{8, 18, 4})) << "write cache";
  EXPECT_EQ(send({0x1a, 8, 0x48, 0, 64, 0}, 64).data[6], 0) << "not changeable";
  EXPECT_EQ(send({0x1a, 8, 0xc8, 0, 64, 0}, 64).sense, 0x053900u);
  EXPECT_EQ(send({0x1a, 8, 0x2a, 0, 64, 0}, 64).sense, 0x052400u);
  medium.is_read_only = true;
  EXPECT_EQ(send({0x1a, 0, 0x3f, 0, 255, 0}, 255).data[2], 0x90);
}

TEST_F(VirtioScsiTest, ReadsAndWritesOfAllSizes) {
  begin();
  u8 value = 1;
  const auto command = [](u8 operation, u64 block, u32 count) {
    Bytes bytes = {operation};
    switch (operation >> 5) {
      case 0:
        put_be(bytes, block, 3);
        put_be(bytes, count, 1);
        break;
      case 1: return rw10(operation, static_cast<u32>(block), static_cast<u16>(count));
      case 4:
        bytes.push_back(0);
        put_be(bytes, block, 8);
        put_be(bytes, count, 4);
        break;
      default:
        bytes.push_back(0);
        put_be(bytes, block, 4);
        put_be(bytes, count, 4);
    }
    return bytes;
  };
  for (const auto& [write, read] :
       {std::pair<u8, u8>{0x0a, 0x08}, {0x2a, 0x28}, {0xaa, 0xa8}, {0x8a, 0x88}}) {
    const Bytes content(1024, value++);
    EXPECT_EQ(send(command(write, 10u * value, 2), 0, content).status, 0);
    EXPECT_EQ(send(command(read, 10u * value, 2), 1024).data, content);
    EXPECT_EQ(medium.content[10 * value * 512], value - 1);
  }
  EXPECT_EQ(medium.flushes, 0u);
  EXPECT_EQ(send(rw10(0x2a, 1, 1, 8), 0, Bytes(512)).status, 0);
  EXPECT_EQ(medium.flushes, 1u) << "FUA";
  EXPECT_EQ(send(rw10(0x2e, 1, 1), 0, Bytes(512)).status, 0);
  EXPECT_EQ(medium.flushes, 2u) << "WRITE AND VERIFY";
  EXPECT_EQ(send(rw10(0x35, 0, 0), 0).status, 0);
  EXPECT_EQ(send(command(0x91, 0, 0), 0).status, 0);
  EXPECT_EQ(medium.flushes, 4u);
  EXPECT_EQ(send(rw10(0x28, kBlocks, 0), 0).status, 0);
  EXPECT_EQ(send(rw10(0x28, kBlocks, 1), 512).sense, 0x052100u);
  EXPECT_EQ(send(rw10(0x28, 0, 2), 512).response, kOverrun);
  EXPECT_EQ(send(rw10(0x2a, 0, 2), 0, Bytes(512)).response, kOverrun);
  EXPECT_EQ(send(rw10(0x28, 0, 1, 0x20), 512).sense, 0x052400u) << "protection information";
  EXPECT_EQ(send(rw10(0x28, 0, 1), 512, Bytes(512)).response, kFailure) << "data both ways";
  EXPECT_EQ(send(rw10(0x2f, 5, 10), 0).status, 0);
  EXPECT_EQ(send(rw10(0x2f, 5, 3000), 0).sense, 0x052100u);
  EXPECT_EQ(send({0xee}, 0).sense, 0x052000u);
  const Result left = send(rw10(0x28, 0, 1), 2048);
  EXPECT_EQ(left.residual, 1536u);
}

TEST_F(VirtioScsiTest, BlocksAreFreed) {
  begin();
  std::ranges::fill(medium.content, u8{7});
  Bytes list = {0, 38, 0, 32, 0, 0, 0, 0};
  for (const auto& [block, count] : {std::pair<u64, u32>{4, 2}, {100, 1}}) {
    put_be(list, block, 8);
    put_be(list, count, 4);
    put_be(list, 0, 4);
  }
  EXPECT_EQ(send({0x42, 0, 0, 0, 0, 0, 0, 0, 40, 0}, 0, list).status, 0);
  EXPECT_EQ(medium.discards, 2u);
  EXPECT_EQ(medium.content[4 * 512], 0);
  EXPECT_EQ(medium.content[6 * 512], 7);
  EXPECT_EQ(medium.content[100 * 512], 0);
  list[8 + 8 + 4] = 1;  // the first range leads beyond the end
  list[4 + 4] = 1;
  EXPECT_EQ(send({0x42, 0, 0, 0, 0, 0, 0, 0, 40, 0}, 0, list).sense, 0x052100u);
  list[3] = 48;
  EXPECT_EQ(send({0x42, 0, 0, 0, 0, 0, 0, 0, 40, 0}, 0, list).sense, 0x052600u);
  EXPECT_EQ(medium.discards, 2u);
  EXPECT_EQ(send(rw10(0x41, 200, 3), 0, Bytes(512, 9)).status, 0);
  EXPECT_EQ(medium.content[202 * 512 + 511], 9);
  EXPECT_EQ(medium.content[203 * 512], 7);
  Bytes same = {0x93, 9};  // UNMAP, no data
  put_be(same, 300, 8);
  put_be(same, 2, 4);
  same.resize(16);
  EXPECT_EQ(send(same, 0).status, 0);
  EXPECT_EQ(medium.discards, 3u);
  EXPECT_EQ(medium.content[301 * 512], 0);
}

TEST_F(VirtioScsiTest, FailuresOfTheHost) {
  begin();
  medium.fail_read = medium.fail_write = medium.fail_flush = true;
  EXPECT_EQ(send(rw10(0x28, 0, 1), 512).sense, 0x031100u);
  EXPECT_EQ(send(rw10(0x2a, 0, 1), 0, Bytes(512)).sense, 0x030c00u);
  EXPECT_EQ(send(rw10(0x35, 0, 0), 0).sense, 0x030c00u);
  medium.is_read_only = true;
  EXPECT_EQ(send(rw10(0x2a, 0, 1), 0, Bytes(512)).sense, 0x072700u);
  EXPECT_EQ(send(rw10(0x41, 0, 1), 0, Bytes(512)).sense, 0x072700u);
}

TEST_F(VirtioScsiTest, TheCdromDrive) {
  for (std::size_t i = 0; i < disc.content.size(); ++i) disc.content[i] = static_cast<u8>(i / 2048);
  begin(kChange);
  EXPECT_EQ(to_cdrom({0x25}, 8).data, (Bytes{0, 0, 0, 99, 0, 0, 8, 0}));
  const Result read = to_cdrom(rw10(0x28, 7, 2), 4096);
  ASSERT_EQ(read.data.size(), 4096u);
  EXPECT_EQ(read.data[0], 7);
  EXPECT_EQ(read.data[4095], 8);
  EXPECT_EQ(to_cdrom(rw10(0x28, 99, 2), 4096).sense, 0x052100u);
  EXPECT_EQ(to_cdrom({0x03, 0, 0, 0, 18, 0}, 18).data[2], 0) << "the sense came with the answer";
  const Result mode = to_cdrom({0x1a, 0, 0x2a, 0, 128, 0}, 128);
  EXPECT_EQ(mode.data.size(), mode.data[0] + 1u);
  EXPECT_EQ(mode.data[4], 0x2a);
  EXPECT_EQ(to_cdrom({0x43, 0, 0, 0, 0, 0, 0, 0, 64, 0}, 64).data.size(), 20u) << "READ TOC";

  driver.send(kEvents, {{kOut + 0x100, 16, true}}, 4);
  cdrom->eject();
  card->medium_changed(3, 2);
  EXPECT_EQ(driver.take(kEvents).bytes, 16u);
  EXPECT_EQ(test.memory.get<u32>(kOut + 0x100), 3u);
  EXPECT_EQ(test.memory.get<u64>(kOut + 0x104), 0x02000301u);
  EXPECT_EQ(test.memory.get<u32>(kOut + 0x10c), 0x28u);
  EXPECT_EQ(to_cdrom({0x25}, 8).sense, 0x023a02u);
  cdrom->insert(disc);
  card->medium_changed(3, 2);
  EXPECT_EQ(to_cdrom({0}, 0).sense, 0x062800u);
  driver.send(kEvents, {{kOut + 0x100, 16, true}}, 8);
  driver.take(kEvents);
  EXPECT_EQ(test.memory.get<u32>(kOut + 0x100), 0x80000000u) << "one was missed";
}

TEST_F(VirtioScsiTest, OneAfterTheOther) {
  begin();
  for (u64 i = 0; i < 3; ++i) {
    put_header(rw10(0x28, 0, 1), 0, 0, i, kHeader + 0x40 * i);
    driver.send(kRequests,
                {{kHeader + 0x40 * i, kHeaderBytes, false},
                 {kAnswer + 0x80 * i, kAnswerBytes, true},
                 {kIn + 0x200 * i, 512, true}},
                static_cast<u16>(4 * i));
  }
  const u16 before = driver.used_index(kRequests);
  test.clock.step(block_request_ns(512) - 1);
  EXPECT_EQ(driver.used_index(kRequests), before);
  test.clock.step(1);
  EXPECT_EQ(driver.used_index(kRequests), before + 1);
  test.clock.step(2 * block_request_ns(512));
  EXPECT_EQ(driver.used_index(kRequests), before + 3);
}

TEST_F(VirtioScsiTest, TaskManagement) {
  begin();
  EXPECT_EQ(manage(5, 7), kBadTarget);
  EXPECT_EQ(manage(5, 0, 1), kIncorrectLun);
  EXPECT_EQ(manage(2), kRejected) << "CLEAR ACA";
  EXPECT_EQ(manage(6, 0, 0, 5), kOk) << "no such task";
  const auto queue = [&](unsigned count) {
    for (u64 i = 0; i < count; ++i) {
      put_header(rw10(0x28, 0, 1), 0, 0, 5 + i, kHeader + 0x40 * i);
      test.memory.put<u8>(kOut + 0x400 + 0x80 * i + 11, 0xee);
      driver.send(kRequests,
                  {{kHeader + 0x40 * i, kHeaderBytes, false},
                   {kOut + 0x400 + 0x80 * i, kAnswerBytes, true},
                   {kIn + 0x200 * i, 512, true}},
                  static_cast<u16>(4 * i));
    }
  };
  const auto response = [&](u64 i) { return test.memory.get<u8>(kOut + 0x400 + 0x80 * i + 11); };
  queue(3);
  EXPECT_EQ(manage(6, 0, 0, 6), kSucceeded);
  EXPECT_EQ(manage(7), kSucceeded);
  EXPECT_EQ(manage(7, 3, 2), kOk) << "the other unit has none";
  EXPECT_EQ(manage(0, 0, 0, 5), kOk) << "the one under way";
  EXPECT_EQ(response(0), kAborted);
  EXPECT_EQ(manage(0, 0, 0, 7), kOk);
  EXPECT_EQ(response(2), kAborted);
  EXPECT_EQ(response(1), 0xee);
  test.clock.step(2 * block_request_ns(512));
  EXPECT_EQ(response(1), kOk);
  queue(2);
  EXPECT_EQ(manage(5), kOk) << "LOGICAL UNIT RESET";
  EXPECT_EQ(response(0), kReset);
  EXPECT_EQ(response(1), kReset);
  for (int i = 0; i < 5; ++i) driver.take(kRequests);
  EXPECT_EQ(send({0}, 0).sense, 0x062900u);
  EXPECT_EQ(to_cdrom({0}, 0).sense, kGood);
  EXPECT_EQ(manage(4, 3), kOk) << "I_T NEXUS RESET";
  EXPECT_EQ(to_cdrom({0}, 0).sense, 0x062900u);
  test.memory.put<u32>(kOut, 2);  // ask for notifications
  driver.send(kControl, {{kOut, 20, false}, {kAnswer, 5, true}});
  test.clock.step(1'000);
  EXPECT_EQ(driver.take(kControl).bytes, 5u);
  EXPECT_EQ(test.memory.get<u32>(kAnswer), 0u);
}

TEST_F(VirtioScsiTest, UnitsComeAndGo) {
  begin(kHotplug);
  FakeDisk other{512 * 100};
  auto disk = std::make_shared<ScsiDisk>(nullptr, "");
  disk->set_medium(&other);
  disk->set_serial("NEW");
  const Bytes ready = {0};
  EXPECT_EQ(send(ready, 0, {}, 7, 1).response, kBadTarget);
  for (u64 i = 0; i < 2; ++i) driver.send(kEvents, {{kIn + 0x100 * i, 16, true}}, static_cast<u16>(i));
  const auto event = [&](u64 i) {
    driver.take(kEvents);
    const u64 at = kIn + 0x100 * i;
    return Bytes{test.memory.get<u8>(at), test.memory.get<u8>(at + 4), test.memory.get<u8>(at + 5),
                 test.memory.get<u8>(at + 7), test.memory.get<u8>(at + 12)};
  };
  card->plug({7, 1, disk});
  EXPECT_EQ(event(0), (Bytes{1, 1, 7, 1, 1})) << "a transport reset: rescan";
  EXPECT_EQ(send(ready, 0, {}, 7, 1).sense, 0x062900u);
  EXPECT_EQ(send({0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 8, {}, 7, 1).data, (Bytes{0, 0, 0, 99, 0, 0, 2, 0}));
  EXPECT_EQ(send({0x12, 1, 0x80, 0, 36, 0}, 36, {}, 7, 1).data.at(4), 'N');
  // One that is under way finds it no longer.
  put_header(rw10(0x28, 0, 1), 7, 1, 9);
  driver.send(kRequests,
              {{kHeader, kHeaderBytes, false}, {kAnswer, kAnswerBytes, true}, {kIn + 0x400, 512, true}});
  card->unplug(7, 1);
  EXPECT_EQ(event(1), (Bytes{1, 1, 7, 1, 2})) << "removed";
  test.clock.step(block_request_ns(512));
  driver.take(kRequests);
  EXPECT_EQ(answer_at(kAnswer, kIn, 0).response, kBadTarget);
  EXPECT_EQ(send(ready, 0).sense, kGood) << "the others are as they were";
  // Nobody has room for this one, so that the next tells of it.
  card->plug({7, 1, disk});
  driver.send(kEvents, {{kIn, 16, true}});
  driver.take(kEvents);
  EXPECT_EQ(test.memory.get<u32>(kIn), 0x8000'0000u);
}

TEST_F(VirtioScsiTest, WhoWantsNoEventsOfUnitsGetsNone) {
  begin(kChange);
  driver.send(kEvents, {{kIn, 16, true}});
  const u16 before = driver.used_index(kEvents);
  card->unplug(3, 2);
  EXPECT_EQ(driver.used_index(kEvents), before);
  EXPECT_EQ(to_cdrom({0}, 0).response, kBadTarget);
}

TEST_F(VirtioScsiTest, ADiskWithoutAMediumIsNotReady) {
  begin();
  card->plug({9, 0, std::make_shared<ScsiDisk>(nullptr, "")});
  (void)send({0}, 0, {}, 9);
  for (const u8 operation : {0x00, 0x25, 0x28, 0x2a, 0x35, 0x41, 0x42, 0x12})
    EXPECT_EQ(send({operation, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 512, {}, 9).sense, 0x023a00u) << int{operation};
}

TEST_F(VirtioScsiTest, WhoBreaksTheRulesIsLeftAlone) {
  driver.start(0, 3);
  driver.send(kRequests, {{kHeader, kHeaderBytes - 1, false}, {kAnswer, kAnswerBytes, true}});
  EXPECT_EQ(driver.status(), 0x4f);
  driver.start(0, 3);
  driver.write(kDeviceConfig + 20, Width::Dword, 257);
  driver.send(kRequests, {{kHeader, kHeaderBytes, false}, {kAnswer, 1000, true}});
  EXPECT_EQ(driver.status(), 0x4f) << "a sense that long is none";
  driver.start(0, 3);
  driver.send(kControl, {{kHeader, 8, false}, {kAnswer, 1, true}});
  test.clock.step(1'000);
  EXPECT_EQ(driver.status(), 0x4f);
}

TEST_F(VirtioScsiTest, LegacyDriver) {
  driver.start_legacy(0, 3);
  EXPECT_EQ(send({0}, 0).sense, 0x062900u);
  EXPECT_EQ(send({0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 8).data, (Bytes{0, 0, 7, 255, 0, 0, 2, 0}));
}

TEST_F(VirtioScsiTest, SaveAndLoadInTheMiddle) {
  begin();
  medium.content[5 * 512] = 0x77;
  for (u64 i = 0; i < 2; ++i) {
    put_header(rw10(0x28, 5, 1), 0, 0, i, kHeader + 0x40 * i);
    driver.send(kRequests,
                {{kHeader + 0x40 * i, kHeaderBytes, false},
                 {kAnswer + 0x80 * i, kAnswerBytes, true},
                 {kIn + 0x200 * i, 512, true}},
                static_cast<u16>(4 * i));
  }
  Archive saved;
  card.serialize(saved);
  const u16 before = driver.used_index(kRequests);
  test.clock.step(1'000'000);
  EXPECT_EQ(driver.used_index(kRequests), before + 2);
  test.memory.put<u16>(driver.used(kRequests) + 2, before);
  expect_loads(card, saved);
  EXPECT_EQ(driver.used_index(kRequests), before);
  test.memory.put<u8>(kIn + 0x200, 0);
  test.clock.step(1'000'000);
  EXPECT_EQ(driver.used_index(kRequests), before + 2);
  EXPECT_EQ(test.memory.get<u8>(kIn + 0x200), 0x77);
}

TEST_F(VirtioScsiTest, StatesThatCannotBeAreRefused) {
  begin();
  Archive saved;
  card.serialize(saved);
  for (std::size_t cut = 0; cut < saved.bytes().size(); cut += 7) {
    Archive archive(saved.bytes().first(cut));
    card.serialize(archive);
    EXPECT_FALSE(archive.ok());
  }
}

TEST_F(VirtioScsiTest, Noise) {
  driver.start(kChange, 3);
  virtio_noise(card, test, 5301, 60'000, kChange | u64{1} << 28, 3);
}

/// Commands at random that make sense more often than not: what the other noise does not reach.
TEST_F(VirtioScsiTest, NoiseOfCommands) {
  begin();
  Noise noise(5302);
  static constexpr u8 kOperations[] = {0x00, 0x03, 0x08, 0x0a, 0x12, 0x1a, 0x1b, 0x1e, 0x25,
                                       0x28, 0x2a, 0x2b, 0x2e, 0x2f, 0x35, 0x41, 0x42, 0x43,
                                       0x46, 0x4a, 0x51, 0x5a, 0x88, 0x8a, 0x8e, 0x8f, 0x91,
                                       0x93, 0x9e, 0xa0, 0xa8, 0xaa, 0xae, 0xaf, 0xbd, 0xbe};
  for (int i = 0; i < 30'000; ++i) {
    Bytes command = {kOperations[noise.below(std::size(kOperations))]};
    while (command.size() < 16)
      command.push_back(static_cast<u8>(noise.below(5) != 0   ? 0
                                        : noise.below(3) != 0 ? noise.below(4)
                                                              : noise.below(256)));
    // Where lengths are.
    if (noise.below(3) != 0)
      for (const std::size_t at : {4u, 8u, 9u, 13u}) command[at] = static_cast<u8>(noise.below(4));
    const u32 in = noise.below(2) * noise.below(17) * 512;
    const Bytes out(in == 0 ? noise.below(8) * 512 : 0, static_cast<u8>(noise.below(2)));
    const bool to_disk = noise.below(2) == 0;
    const Result result = send(command, in, out, to_disk ? 0 : 3, to_disk ? 0 : 2);
    ASSERT_LE(result.response, kFailure);
    if (noise.below(50) == 0) manage(noise.below(9), to_disk ? 0 : 3, noise.below(3), 1);
    if (noise.below(20) == 0) cdrom->insert(disc);
    if (noise.below(500) == 0) cdrom->eject();
  }
  EXPECT_GT(medium.reads, 100u) << "the noise reached the medium";
  EXPECT_GT(medium.writes, 100u);
  EXPECT_GT(medium.flushes, 100u);
  EXPECT_GT(medium.discards, 20u);
  EXPECT_GT(disc.reads, 10u);
}

}  // namespace
}  // namespace reprise::devices
