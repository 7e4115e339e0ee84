// devices/ata/cdrom behind an IDE channel: packet protocol and commands.
#include "tests/devices/ide_board.h"

namespace reprise::devices {
namespace {

using namespace testing;
using namespace ata;

constexpr u64 kDiscSectors = 4 * 1000 - 2;  // a last block of half its size
constexpr u8 kOk = kStatusReady;
using Bytes = std::vector<u8>;

struct Disc {
  MemoryMedium disc{kDiscSectors};
  Cdrom* drive = nullptr;
};

class CdromTest : public ::testing::Test, protected Disc, protected IdeBoard {
 protected:
  static ide::IdeController::Units units(Disc& media) {
    ide::IdeController::Units all;
    auto drive = std::make_unique<Cdrom>(media.disc, "CD0001", Cable::Parallel);
    media.drive = drive.get();
    all[0] = std::move(drive);
    return all;
  }
  CdromTest() : IdeBoard(units(*this)) {
    disc.number_sectors();
    (void)packet({0x00});  // takes the attention of power-on
  }

  void start(Bytes cdb, u32 limit, bool dma = false) {
    cdb.resize(12);
    write(kIdeDevice, 0xa0);
    write(kIdeFeatures, dma ? 1 : 0);
    write(kIdeLbaMid, limit);
    write(kIdeLbaHigh, limit >> 8);
    command(Command::Packet);
    EXPECT_EQ(alternate_status() & (kStatusBsy | kStatusDrq), kStatusDrq);
    EXPECT_EQ(read(kIdeCount) & 3, kReasonCommand);
    write_block(cdb);
  }
  struct Reply {
    u8 status;
    Bytes data;
    unsigned blocks;
  };
  /// Carries out a packet command by PIO.
  Reply packet(Bytes cdb, u32 limit = 0xfffe) {
    start(std::move(cdb), limit);
    Reply reply{settle(), {}, 0};
    while (reply.status & kStatusDrq && reply.blocks < 10'000) {
      EXPECT_TRUE(irq());
      EXPECT_EQ(read(kIdeCount) & 3, kReasonToHost);
      const u32 bytes = read(kIdeLbaMid) | u32{read(kIdeLbaHigh)} << 8;
      EXPECT_LE(bytes, limit);
      read(kIdeStatus);
      auto block = read_block(bytes);
      block.resize(bytes);
      reply.data.insert(reply.data.end(), block.begin(), block.end());
      ++reply.blocks;
      reply.status = settle();
    }
    EXPECT_TRUE(irq()) << "the status phase";
    EXPECT_EQ(read(kIdeCount) & 3, kReasonCommand | kReasonToHost);
    reply.status = read(kIdeStatus);
    return reply;
  }
  Sense sense() {
    const Reply reply = packet({0x03, 0, 0, 0, 18});
    EXPECT_EQ(reply.data.size(), 18u);
    return {static_cast<u8>(reply.data[2] & 15), reply.data[12], reply.data[13]};
  }
  void expect_check(Bytes cdb, Sense expected) {
    const u8 opcode = cdb[0];
    EXPECT_EQ(packet(std::move(cdb)).status, kOk | kStatusErr) << int{opcode};
    EXPECT_EQ(read(kIdeError) >> 4, expected.key) << int{opcode};
    EXPECT_EQ(sense(), expected) << int{opcode};
    EXPECT_EQ(sense(), Sense{}) << "told once";
  }
};

TEST_F(CdromTest, SignatureTellsAPacketDevice) {
  ide.reset(ResetKind::PowerOn);
  EXPECT_EQ(read(kIdeLbaMid), 0x14);
  EXPECT_EQ(read(kIdeLbaHigh), 0xeb);
  EXPECT_EQ(read(kIdeStatus), 0);
  write(kIdeDevice, 0xb0);
  EXPECT_EQ(read(kIdeStatus), 0);
  write(kIdeDevice, 0xa0);
  write(kIdeLbaMid, 0);
  EXPECT_EQ(run(Command::IdentifyDevice), kOk | kStatusErr);
  EXPECT_EQ(read(kIdeError), kErrorAbrt);
  EXPECT_EQ(read(kIdeLbaMid), 0x14);
  EXPECT_EQ(read(kIdeLbaHigh), 0xeb);
  EXPECT_EQ(run(Command::IdentifyPacketDevice), kOk | kStatusDrq);
  const auto id = read_block(512);
  EXPECT_EQ(id[1] << 8 | id[0], 0x85c0);
}

TEST_F(CdromTest, AttentionAfterPowerOn) {
  ide.reset(ResetKind::PowerOn);
  EXPECT_EQ(packet({0x12, 0, 0, 0, 36}).status, kOk) << "INQUIRY does not care";
  expect_check({0x00}, {6, 0x29, 0});
  EXPECT_EQ(packet({0x00}).status, kOk);
}

TEST_F(CdromTest, InquiryIsCutToTheAllocation) {
  const Reply full = packet({0x12, 0, 0, 0, 96});
  EXPECT_EQ(full.data.size(), 36u);
  EXPECT_EQ(full.data[0], 5);
  EXPECT_EQ(full.data[1], 0x80);
  EXPECT_EQ(std::string(full.data.begin() + 8, full.data.begin() + 22), "REPRISE CD-ROM");
  EXPECT_EQ(packet({0x12, 0, 0, 0, 5}).data, Bytes(full.data.begin(), full.data.begin() + 5));
  EXPECT_EQ(packet({0x12, 0, 0, 0, 0}).data.size(), 0u);
  expect_check({0x12, 1, 0x80, 0, 36}, {5, 0x24, 0});
}

TEST_F(CdromTest, CapacityCountsAPartialLastBlock) {
  EXPECT_EQ(packet({0x25}).data, (Bytes{0, 0, 999 >> 8, 999 & 0xff, 0, 0, 8, 0}));
}

TEST_F(CdromTest, ReadInBlocksOfTheByteCount) {
  const Bytes expected = disc.sectors(4 * 100, 4 * 5);
  for (auto [limit, blocks] : {std::pair<u32, unsigned>{0xfffe, 1},
                               {0xffff, 1},
                               {2048, 5},
                               {4096, 3},
                               {1000, 11},
                               {1001, 11},
                               {0, 1}}) {
    const Reply reply = packet({0x28, 0, 0, 0, 0, 100, 0, 0, 5, 0}, limit ? limit : 0xfffe);
    EXPECT_EQ(reply.status, kOk);
    EXPECT_EQ(reply.data, expected) << limit;
    EXPECT_EQ(reply.blocks, blocks) << limit;
  }
  EXPECT_EQ(packet({0xa8, 0, 0, 0, 0, 100, 0, 0, 0, 5}).data, expected);
  EXPECT_EQ(packet({0xbe, 0, 0, 0, 0, 100, 0, 0, 5, 0x10}).data, expected);
  EXPECT_EQ(packet({0x28, 0, 0, 0, 0, 100, 0, 0, 0}).data.size(), 0u);
  Bytes end = disc.sectors(4 * 999, 2);
  end.resize(2048);
  EXPECT_EQ(packet({0x28, 0, 0, 0, 999 >> 8, 999 & 0xff, 0, 0, 1}).data, end);
  EXPECT_EQ(packet({0x28, 0, 0, 0, 0, 0, 0, 0, 200}).data, disc.sectors(0, 800))
      << "more than one read of the host";
}

TEST_F(CdromTest, ReadErrors) {
  expect_check({0x28, 0, 0, 0, 999 >> 8, 999 & 0xff, 0, 0, 2}, {5, 0x21, 0});
  expect_check({0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {5, 0x21, 0});
  expect_check({0xbe, 4, 0, 0, 0, 1, 0, 0, 1, 0x10}, {5, 0x64, 0});
  expect_check({0xbe, 0, 0, 0, 0, 1, 0, 0, 1, 0xf8}, {5, 0x24, 0});
  disc.bad_reads[4 * 7 + 2] = BlockStatus::ReadError;
  const Reply reply = packet({0x28, 0, 0, 0, 0, 5, 0, 0, 6}, 2048);
  EXPECT_EQ(reply.status, kOk | kStatusErr);
  EXPECT_EQ(reply.data, disc.sectors(4 * 5, 4 * 2)) << "the blocks before it";
  EXPECT_EQ(sense(), (Sense{3, 0x11, 0}));
}

TEST_F(CdromTest, DmaReads) {
  table({{0x2000, 4096}});
  start({0x28, 0, 0, 0, 0, 9, 0, 0, 2}, 0, true);
  start_bus_master(true);
  EXPECT_EQ(settle(), kOk);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIdeCount) & 3, 3);
  EXPECT_EQ(bmis() & 7, 4);
  EXPECT_EQ(memory.bytes(0x2000, 4096), disc.sectors(36, 8));
  start({0x12, 0, 0, 0, 96}, 0, true);
  start_bus_master(true);
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(bmis() & 7, 5) << "the table is longer than the data";
  disc.bad_reads[40] = BlockStatus::ReadError;
  start({0x28, 0, 0, 0, 0, 9, 0, 0, 2}, 0, true);
  start_bus_master(true);
  EXPECT_EQ(settle(), kOk | kStatusErr);
  EXPECT_EQ(read(kIdeError) >> 4, 3);
}

TEST_F(CdromTest, TableOfContents) {
  EXPECT_EQ(packet({0x43, 0, 0, 0, 0, 0, 0, 0, 255}).data,
            (Bytes{0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 1000 >> 8, 1000 & 0xff}));
  EXPECT_EQ(packet({0x43, 2, 0, 0, 0, 0, 0xaa, 0, 255}).data,
            (Bytes{0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 15, 25}));
  EXPECT_EQ(packet({0x43, 0, 1, 0, 0, 0, 0, 0, 255}).data, (Bytes{0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(packet({0x43, 0, 0, 0, 0, 0, 0, 0, 255, 0x40}).data.size(), 12u) << "the format in the last byte";
  EXPECT_EQ(packet({0x43, 2, 2, 0, 0, 0, 0, 0, 255}).data.size(), 4u + 4 * 11);
  expect_check({0x43, 0, 0, 0, 0, 0, 2, 0, 255}, {5, 0x24, 0});
  expect_check({0x43, 0, 5, 0, 0, 0, 0, 0, 255}, {5, 0x24, 0});
}

TEST_F(CdromTest, ModePagesAndConfiguration) {
  const Bytes all = packet({0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0}).data;
  EXPECT_EQ(all.size(), all[0] << 8 | (all[1] + 2));
  const Bytes page = packet({0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0}).data;
  EXPECT_EQ(page[8], 0x2a);
  EXPECT_EQ(page[9], page.size() - 10);
  expect_check({0x5a, 0, 0x0e, 0, 0, 0, 0, 1, 0}, {5, 0x24, 0});
  expect_check({0x5a, 0, 0xea, 0, 0, 0, 0, 1, 0}, {5, 0x39, 0});
  const Bytes configuration = packet({0x46, 0, 0, 0, 0, 0, 0, 1, 0}).data;
  EXPECT_EQ(configuration[7], 0x08) << "a CD";
  EXPECT_EQ(configuration.size(), 4u + configuration[3]);
  EXPECT_EQ(packet({0x46, 2, 0, 0x1e, 0, 0, 0, 1, 0}).data.size(), 16u);
  expect_check({0x46, 3, 0, 0, 0, 0, 0, 1, 0}, {5, 0x24, 0});
  EXPECT_EQ(packet({0x51, 0, 0, 0, 0, 0, 0, 0, 34}).data[2], 0x0e);
  EXPECT_EQ(packet({0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8}).data.size(), 8u);
  EXPECT_EQ(packet({0xbb}).status, kOk);
  expect_check({0x2a, 0, 0, 0, 0, 0, 0, 0, 1}, {5, 0x20, 0});
}

TEST_F(CdromTest, TrayLockAndEvents) {
  const Bytes poll = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8};
  EXPECT_EQ(packet(poll).data, (Bytes{0, 6, 4, 0x10, 0, 2, 0, 0}));
  EXPECT_EQ(packet({0x1e, 0, 0, 0, 1}).status, kOk);
  expect_check({0x1b, 0, 0, 0, 2}, {5, 0x53, 2});
  EXPECT_EQ(packet({0x1e, 0, 0, 0, 0}).status, kOk);
  EXPECT_EQ(packet({0x1b, 0, 0, 0, 2}).status, kOk);
  expect_check({0x00}, {2, 0x3a, 2});
  expect_check({0x25}, {2, 0x3a, 2});
  EXPECT_EQ(packet(poll).data, (Bytes{0, 6, 4, 0x10, 3, 1, 0, 0})) << "removal, open";
  EXPECT_EQ(packet(poll).data[4], 0) << "told once";
  EXPECT_EQ(packet({0x1b, 0, 0, 0, 3}).status, kOk);
  EXPECT_EQ(packet(poll).data, (Bytes{0, 6, 4, 0x10, 2, 2, 0, 0}));
  expect_check({0x00}, {6, 0x28, 0});
  EXPECT_EQ(packet({0x00}).status, kOk);
  expect_check({0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8}, {5, 0x24, 0});
  EXPECT_EQ(packet({0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8}).data, (Bytes{0, 2, 0x80, 0x10}));
}

TEST_F(CdromTest, ADiscTakenOutAndAnotherPutIn) {
  const Bytes poll = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8};
  MemoryMedium other(4 * 50);
  drive->eject();
  EXPECT_TRUE(drive->tray_open());
  EXPECT_EQ(packet(poll).data, (Bytes{0, 6, 4, 0x10, 3, 1, 0, 0})) << "removal, open";
  expect_check({0x25}, {2, 0x3a, 2});
  EXPECT_EQ(packet({0x1b, 0, 0, 0, 3}).status, kOk) << "the guest closes the tray";
  expect_check({0x28, 0, 0, 0, 0, 0, 0, 0, 1}, {2, 0x3a, 1});
  drive->insert(other);
  EXPECT_FALSE(drive->tray_open());
  EXPECT_EQ(packet(poll).data, (Bytes{0, 6, 4, 0x10, 2, 2, 0, 0})) << "new medium";
  expect_check({0x25}, {6, 0x28, 0});
  EXPECT_EQ(packet({0x25}).data, (Bytes{0, 0, 0, 49, 0, 0, 8, 0}));
  drive->insert(disc);
  expect_check({0x00}, {6, 0x28, 0});
  EXPECT_EQ(packet({0x25}).data, (Bytes{0, 0, 999 >> 8, 999 & 0xff, 0, 0, 8, 0}));
}

TEST_F(CdromTest, ALockedTrayTellsThatSomebodyWantsToOpenIt) {
  const Bytes poll = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8};
  EXPECT_FALSE(drive->locked());
  EXPECT_EQ(packet({0x1e, 0, 0, 0, 1}).status, kOk);
  EXPECT_TRUE(drive->locked());
  drive->request_eject();
  EXPECT_EQ(packet(poll).data, (Bytes{0, 6, 4, 0x10, 1, 2, 0, 0}));
  EXPECT_EQ(packet(poll).data[4], 0) << "told once";
  EXPECT_EQ(packet({0x25}).status, kOk) << "the disc is still there";
}

TEST_F(CdromTest, AReadUnderWayDoesNotGoOnWithAnotherDisc) {
  MemoryMedium other(4 * 50);
  for (const bool replaced : {false, true}) {
    start({0x28, 0, 0, 0, 0, 9, 0, 0, 2}, 0xfffe);
    drive->eject();
    if (replaced) drive->insert(other);
    EXPECT_EQ(settle(), kOk | kStatusErr);
    EXPECT_EQ(sense(), replaced ? (Sense{6, 0x28, 0}) : (Sense{2, 0x3a, 2}));
    drive->insert(disc);
    expect_check({0x00}, {6, 0x28, 0});
  }
}

TEST_F(CdromTest, AnEmptyDrive) {
  disc.content.clear();
  for (u8 opcode : {0x00, 0x25, 0x43, 0x51, 0x28})
    expect_check({opcode, 0, 0, 0, 0, 0, 0, 0, 1}, {2, 0x3a, 1});
  EXPECT_EQ(packet({0x46, 0, 0, 0, 0, 0, 0, 1, 0}).data[7], 0);
}

TEST_F(CdromTest, DeviceResetWorksAtAnyTime) {
  start({0x28, 0, 0, 0, 0, 9, 0, 0, 2}, 2048);
  EXPECT_EQ(settle() & kStatusDrq, kStatusDrq);
  command(Command::DeviceReset);
  EXPECT_FALSE(irq());
  EXPECT_EQ(settle(), 0);
  EXPECT_FALSE(irq());
  EXPECT_EQ(read(kIdeLbaHigh), 0xeb);
  EXPECT_EQ(packet({0x00}).status, kOk);
}

TEST_F(CdromTest, SaveAndLoadBetweenBlocks) {
  start({0x28, 0, 0, 0, 0, 9, 0, 0, 3}, 3000);
  settle();
  Bytes data = read_block(1000);
  const auto state = saved(ide);
  ide.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(ide, state));
  const auto rest = read_block(2000);
  data.insert(data.end(), rest.begin(), rest.end());
  settle();
  const auto block = read_block(3000);
  data.insert(data.end(), block.begin(), block.end());
  settle();
  const auto last = read_block(144);
  data.insert(data.end(), last.begin(), last.end());
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(data, disc.sectors(36, 12));
}

}  // namespace
}  // namespace reprise::devices
