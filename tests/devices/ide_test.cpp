// devices/ide with an ATA disk: the channel's registers, the course of commands, bus mastering.
#include "tests/devices/ide_board.h"

namespace reprise::devices {
namespace {

using namespace testing;
using namespace ata;

constexpr u64 kSectors = 200'000;
constexpr u8 kOk = kStatusReady;

struct Media {
  MemoryMedium disk{kSectors};
  MemoryMedium second{5000};
};

ide::IdeController::Units two_disks(Media& media) {
  ide::IdeController::Units units;
  units[0] = std::make_unique<Disk>(media.disk, "R0001", Cable::Parallel);
  units[1] = std::make_unique<Disk>(media.second, "R0002", Cable::Parallel);
  return units;
}
ide::IdeController::Units one_disk(Media& media) {
  ide::IdeController::Units units;
  units[0] = std::make_unique<Disk>(media.disk, "R0001", Cable::Parallel);
  return units;
}

class IdeTest : public ::testing::Test, protected Media, protected IdeBoard {
 protected:
  IdeTest() : IdeBoard(two_disks(*this)) { disk.number_sectors(); }
};
class IdeMasterOnlyTest : public ::testing::Test, protected Media, protected IdeBoard {
 protected:
  IdeMasterOnlyTest() : IdeBoard(one_disk(*this)) { disk.number_sectors(); }
};

u16 word(const std::vector<u8>& block, unsigned index) {
  return static_cast<u16>(block[2 * index] | block[2 * index + 1] << 8);
}

TEST_F(IdeTest, PciIdentityAndDecoding) {
  EXPECT_EQ(ide.config_read(pci::kVendorId, Width::Dword), 0x70108086u);
  EXPECT_EQ(ide.config_read(pci::kRevision, Width::Dword) >> 8, 0x010180u);
  EXPECT_TRUE(ide.decodes(0));
  ide.config_write(ide::IdeController::kIdeTiming, Width::Word, 0x3000);
  EXPECT_FALSE(ide.decodes(0));
  EXPECT_TRUE(ide.decodes(1));
  ide.config_write(pci::kCommand, Width::Word, 0);
  EXPECT_FALSE(ide.decodes(1));
  EXPECT_EQ(ide.bar(4).bytes, 16u);
}

TEST_F(IdeTest, SignatureAfterReset) {
  EXPECT_EQ(read(kIdeStatus), kOk);
  EXPECT_EQ(read(kIdeCount), 1);
  EXPECT_EQ(read(kIdeLbaLow), 1);
  EXPECT_EQ(read(kIdeLbaMid), 0);
  EXPECT_EQ(read(kIdeLbaHigh), 0);
  EXPECT_EQ(read(kIdeError), 1);
  EXPECT_EQ(read(kIdeDevice), 0xa0);
}

TEST_F(IdeTest, EmptyChannelFloats) {
  for (u16 offset = 1; offset < 8; ++offset) EXPECT_EQ(read(offset, 1), 0x7f) << offset;
  EXPECT_EQ(alternate_status(1), 0x7f);
  write(kIdeCount, 0x55, 1);
  EXPECT_EQ(read(kIdeCount, 1), 0x7f);
  EXPECT_EQ(channel(1).pio_read(kIdeData, Width::Word), 0xff7fu);
  command(Command::IdentifyDevice, 1);
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
}

TEST_F(IdeMasterOnlyTest, MasterAnswersForTheSlave) {
  write(kIdeDevice, 0xb0);
  EXPECT_EQ(read(kIdeStatus), 0);
  EXPECT_EQ(alternate_status(), 0);
  EXPECT_EQ(read(kIdeDevice) & 0x10, 0x10);
  write(kIdeCount, 0x55);
  EXPECT_EQ(read(kIdeCount), 0x55) << "the registers of device 0";
  command(Command::IdentifyDevice);
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever) << "ignored";
  EXPECT_EQ(run(Command::DeviceDiagnostic), 0x50) << "device 0 carries it out";
  EXPECT_EQ(read(kIdeError), 1);
}

TEST_F(IdeTest, IdentifyTellsSizeNameAndModes) {
  lba28(0, 0, 0);
  command(Command::IdentifyDevice);
  EXPECT_EQ(alternate_status() & kStatusBsy, kStatusBsy);
  EXPECT_FALSE(irq()) << "never inside the write";
  EXPECT_EQ(clock.next_deadline_ns(), clock.now_ns() + block_request_ns(512));
  EXPECT_EQ(settle(), kOk | kStatusDrq);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIdeStatus), kOk | kStatusDrq);
  EXPECT_FALSE(irq()) << "reading status takes it away";
  const std::vector<u8> id = read_block(512);
  EXPECT_EQ(read(kIdeStatus), kOk);
  EXPECT_FALSE(irq()) << "the end of a PIO read has no interrupt";
  EXPECT_EQ(word(id, 0), 0x0040);
  EXPECT_EQ(word(id, 10), u16{'R' << 8 | '0'});
  EXPECT_EQ(u32{word(id, 60)} | u32{word(id, 61)} << 16, kSectors);
  EXPECT_EQ(u32{word(id, 100)} | u32{word(id, 101)} << 16, kSectors);
  EXPECT_EQ(word(id, 1), kSectors / (16 * 63));
  EXPECT_EQ(word(id, 49) & 0x0300, 0x0300) << "LBA and DMA";
  EXPECT_EQ(word(id, 83) & 0x7400, 0x7400) << "48-bit, flush";
  EXPECT_EQ(word(id, 88), 0x043f) << "UDMA 2 of 0 to 5";
  EXPECT_EQ(word(id, 75), 0) << "no queue on a parallel cable";
  EXPECT_EQ(std::accumulate(id.begin(), id.end(), u8{0}, [](u8 a, u8 b) { return u8(a + b); }), 0);
}

TEST_F(IdeTest, ReadSectorsByEveryAddressForm) {
  lba28(0, 1000, 2);
  for (u64 sector : {1000, 1001}) {
    EXPECT_EQ(sector == 1000 ? run(Command::ReadSectors) : settle(), kOk | kStatusDrq);
    EXPECT_TRUE(irq());
    EXPECT_EQ(read(kIdeStatus) & kStatusDrq, kStatusDrq);
    EXPECT_EQ(read_block(512), disk.sectors(sector, 1));
  }
  EXPECT_EQ(read(kIdeStatus), kOk);

  lba48(0, 70'000, 1);
  EXPECT_EQ(run(Command::ReadSectorsExt), kOk | kStatusDrq);
  EXPECT_EQ(read_block(512), disk.sectors(70'000, 1));

  // C/H/S 3/5/7 with 16 heads and 63 sectors
  write(kIdeDevice, 0xa5);
  write(kIdeCount, 1);
  write(kIdeLbaLow, 7);
  write(kIdeLbaMid, 3);
  write(kIdeLbaHigh, 0);
  EXPECT_EQ(run(Command::ReadSectors), kOk | kStatusDrq);
  EXPECT_EQ(read_block(512), disk.sectors((3 * 16 + 5) * 63 + 6, 1));
  write(kIdeLbaLow, 0);
  EXPECT_EQ(run(Command::ReadSectors), kOk | kStatusErr) << "there is no sector 0";
  EXPECT_EQ(read(kIdeError), kErrorIdnf);
}

TEST_F(IdeTest, InitializeParametersChangesTranslation) {
  write(kIdeDevice, 0xa7);  // 8 heads
  write(kIdeCount, 32);
  EXPECT_EQ(run(Command::InitializeParameters), kOk);
  write(kIdeDevice, 0xa2);
  write(kIdeCount, 1);
  write(kIdeLbaLow, 4);
  write(kIdeLbaMid, 9);
  write(kIdeLbaHigh, 0);
  EXPECT_EQ(run(Command::ReadSectors), kOk | kStatusDrq);
  EXPECT_EQ(read_block(512), disk.sectors((9 * 8 + 2) * 32 + 3, 1));
  write(kIdeCount, 0);
  EXPECT_EQ(run(Command::InitializeParameters), kOk | kStatusErr);
}

TEST_F(IdeTest, ACountOfZeroIsTheLargest) {
  lba28(0, 0, 0);
  run(Command::ReadSectors);
  for (u64 sector = 0; sector < 256; ++sector) {
    ASSERT_EQ(settle(), kOk | kStatusDrq) << sector;
    ASSERT_EQ(read_block(512), disk.sectors(sector, 1)) << sector;
  }
  EXPECT_EQ(read(kIdeStatus), kOk);
  EXPECT_LE(disk.reads, 4) << "the host reads ahead within the command";
}

TEST_F(IdeTest, DataPortTakesEveryWidthAndRunsAhead) {
  lba28(0, 5, 1);
  run(Command::ReadSectors);
  std::vector<u8> ahead(1024);
  EXPECT_EQ(channel().pio_read_ahead(kIdeData, Width::Word, {}), 0u) << "nothing is wanted";
  EXPECT_EQ(channel().pio_read_ahead(kIdeData, Width::Word, ahead), 510u) << "all but the last element";
  EXPECT_EQ(channel().pio_read_ahead(kIdeData, Width::Word, ahead), 0u);
  EXPECT_EQ(alternate_status() & kStatusDrq, kStatusDrq);
  const auto sector = disk.sectors(5, 1);
  EXPECT_TRUE(std::equal(sector.begin(), sector.begin() + 510, ahead.begin()));
  EXPECT_EQ(in8(channel(), kIdeData), sector[510]);
  EXPECT_EQ(channel().pio_read(kIdeData, Width::Dword), sector[511]) << "no more than there is";
  EXPECT_EQ(alternate_status(), kOk);
  EXPECT_EQ(channel().pio_read(kIdeData, Width::Word), 0u);

  lba28(0, 6, 1);
  command(Command::WriteSectors);
  EXPECT_EQ(channel().pio_write_ahead(kIdeData, Width::Dword, {}), 0u) << "nothing is given";
  EXPECT_EQ(channel().pio_write_ahead(kIdeData, Width::Dword, sector), 508u);
  EXPECT_EQ(alternate_status(), kOk | kStatusDrq);
  channel().pio_write(kIdeData, Width::Dword, 0x44332211);
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(disk.content[6 * 512 + 507], sector[507]);
  EXPECT_EQ(disk.content[6 * 512 + 511], 0x44);
}

TEST_F(IdeTest, WriteSectors) {
  std::vector<u8> data(1024);
  std::iota(data.begin(), data.end(), u8{1});
  lba28(0, 50, 2);
  command(Command::WriteSectors);
  EXPECT_EQ(alternate_status(), kOk | kStatusDrq) << "the first block is asked for at once";
  EXPECT_FALSE(irq());
  write_block(std::span(data).first(512));
  EXPECT_EQ(alternate_status() & kStatusBsy, kStatusBsy);
  EXPECT_EQ(settle(), kOk | kStatusDrq);
  EXPECT_TRUE(irq());
  read(kIdeStatus);
  write_block(std::span(data).last(512));
  EXPECT_FALSE(irq());
  EXPECT_EQ(settle(), kOk);
  EXPECT_TRUE(irq());
  EXPECT_EQ(disk.sectors(50, 2), data);
}

TEST_F(IdeTest, MultipleMovesSeveralSectorsPerInterrupt) {
  lba28(0, 10, 4);
  EXPECT_EQ(run(Command::ReadMultiple), kOk | kStatusErr) << "not set";
  write(kIdeCount, 3);
  EXPECT_EQ(run(Command::SetMultiple), kOk | kStatusErr) << "not a power of two";
  write(kIdeCount, 32);
  EXPECT_EQ(run(Command::SetMultiple), kOk | kStatusErr) << "too many";
  write(kIdeCount, 4);
  EXPECT_EQ(run(Command::SetMultiple), kOk);
  lba28(0, 10, 6);
  EXPECT_EQ(run(Command::ReadMultiple), kOk | kStatusDrq);
  EXPECT_EQ(read_block(4 * 512), disk.sectors(10, 4));
  EXPECT_EQ(settle(), kOk | kStatusDrq);
  EXPECT_EQ(read_block(2 * 512), disk.sectors(14, 2)) << "the last block is shorter";
  EXPECT_EQ(read(kIdeStatus), kOk);
  std::vector<u8> data(5 * 512, 0xa7);
  lba48(0, 100, 5);
  command(Command::WriteMultipleExt);
  write_block(std::span(data).first(4 * 512));
  EXPECT_EQ(settle(), kOk | kStatusDrq);
  write_block(std::span(data).last(512));
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(disk.sectors(100, 5), data);
}

TEST_F(IdeTest, BeyondTheEndIsNotFound) {
  for (auto [lba, count] : {std::pair<u64, u32>{kSectors, 1}, {kSectors - 1, 2}, {0x0fff'ffff, 1}}) {
    lba28(0, lba, count);
    EXPECT_EQ(run(Command::ReadSectors), kOk | kStatusErr);
    EXPECT_TRUE(irq());
    EXPECT_EQ(read(kIdeError), kErrorIdnf);
  }
  lba48(0, 0xffff'ffff'ffff, 1);
  EXPECT_EQ(run(Command::WriteSectorsExt), kOk | kStatusErr);
  EXPECT_EQ(disk.writes, 0);
}

TEST_F(IdeTest, ReadErrorNamesTheSector) {
  disk.bad_reads[1002] = BlockStatus::ReadError;
  lba28(0, 1000, 5);
  for (u64 sector : {1000, 1001}) {
    ASSERT_EQ(sector == 1000 ? run(Command::ReadSectors) : settle(), kOk | kStatusDrq);
    EXPECT_EQ(read_block(512), disk.sectors(sector, 1));
  }
  EXPECT_EQ(settle(), kOk | kStatusErr);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIdeError), kErrorUnc);
  EXPECT_EQ(read(kIdeLbaLow) | read(kIdeLbaMid) << 8, 1002);
  disk.bad_reads = {{0x123456, BlockStatus::ReadError}, {70'001, BlockStatus::ReadError}};
  lba48(0, 70'000, 4);
  EXPECT_EQ(run(Command::ReadVerifyExt), kOk | kStatusErr);
  EXPECT_EQ(read(kIdeError), kErrorUnc);
  EXPECT_EQ(read(kIdeLbaLow) | read(kIdeLbaMid) << 8 | read(kIdeLbaHigh) << 16, 70'001);
  control(0x80);
  EXPECT_EQ(read(kIdeLbaLow), 0) << "bits 31:24";
}

TEST_F(IdeTest, WriteErrorsAbort) {
  for (BlockStatus status : {BlockStatus::WriteError, BlockStatus::NoSpace}) {
    disk.bad_writes[51] = status;
    lba28(0, 50, 2);
    command(Command::WriteSectors);
    write_block(std::vector<u8>(512, 0x11));
    settle();
    write_block(std::vector<u8>(512, 0x22));
    EXPECT_EQ(settle(), kOk | kStatusErr);
    EXPECT_EQ(read(kIdeError), kErrorAbrt);
    EXPECT_EQ(read(kIdeLbaLow), 51);
    EXPECT_EQ(disk.content[50 * 512], 0x11);
  }
  disk.is_read_only = true;
  lba28(0, 50, 2);
  EXPECT_EQ(run(Command::WriteSectors), kOk | kStatusErr);
  EXPECT_EQ(read(kIdeError), kErrorAbrt);
  lba28(0, 50, 2);
  EXPECT_EQ(run(Command::WriteDma), kOk | kStatusErr);
}

TEST_F(IdeTest, FlushReachesTheHostBeforeItCompletes) {
  write(kIdeDevice, 0xe0);
  command(Command::FlushCache);
  EXPECT_EQ(disk.flushes, 0);
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(disk.flushes, 1);
  EXPECT_EQ(run(Command::FlushCacheExt), kOk);
  EXPECT_EQ(disk.flushes, 2);
  EXPECT_EQ(run(Command::StandbyImmediate), kOk);
  EXPECT_EQ(disk.flushes, 3);
  disk.flush_status = BlockStatus::WriteError;
  EXPECT_EQ(run(Command::FlushCache), kOk | kStatusErr);
  EXPECT_EQ(read(kIdeError), kErrorAbrt);
}

TEST_F(IdeTest, WithoutAWriteCacheEveryWriteIsFlushed) {
  write(kIdeDevice, 0xe0);
  write(kIdeFeatures, 0x82);
  EXPECT_EQ(run(Command::SetFeatures), kOk);
  EXPECT_EQ(disk.flushes, 1);
  lba28(0, 1, 1);
  command(Command::WriteSectors);
  write_block(std::vector<u8>(512, 1));
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(disk.flushes, 2);
  run(Command::IdentifyDevice);
  EXPECT_EQ(word(read_block(512), 85) & 0x20, 0);
}

TEST_F(IdeTest, SetFeaturesTakesWhatItKnows) {
  write(kIdeDevice, 0xe0);
  for (auto [feature, count, good] : {std::tuple{0x03, 0x45, true},
                                      {0x03, 0x46, false},
                                      {0x03, 0x0c, true},
                                      {0x03, 0x0d, false},
                                      {0x03, 0x22, true},
                                      {0x03, 0xff, false},
                                      {0x02, 0, true},
                                      {0xaa, 0, true},
                                      {0x55, 0, true},
                                      {0x66, 0, true},
                                      {0xcc, 0, true},
                                      {0x10, 6, false},
                                      {0xff, 0, false}}) {
    write(kIdeFeatures, static_cast<u32>(feature));
    write(kIdeCount, static_cast<u32>(count));
    EXPECT_EQ(run(Command::SetFeatures), good ? kOk : kOk | kStatusErr) << feature << ' ' << count;
  }
  run(Command::IdentifyDevice);
  const auto id = read_block(512);
  EXPECT_EQ(word(id, 63), 0x0407);
  EXPECT_EQ(word(id, 88), 0x003f);
}

TEST_F(IdeTest, SmallCommands) {
  write(kIdeDevice, 0xe0);
  EXPECT_EQ(run(Command::CheckPowerMode), kOk);
  EXPECT_EQ(read(kIdeCount), 0xff);
  run(Command::StandbyImmediate);
  run(Command::CheckPowerMode);
  EXPECT_EQ(read(kIdeCount), 0x00);
  run(Command::IdleImmediate);
  run(Command::CheckPowerMode);
  EXPECT_EQ(read(kIdeCount), 0x80);
  EXPECT_EQ(run(Command::Recalibrate), kOk);
  EXPECT_EQ(run(static_cast<Command>(0x1f)), kOk);
  lba28(0, 77, 1);
  EXPECT_EQ(run(Command::Seek), kOk);
  lba28(0, kSectors, 1);
  EXPECT_EQ(run(Command::Seek), kOk | kStatusErr);
  lba28(0, 3, 4);
  EXPECT_EQ(run(Command::ReadVerify), kOk);
  write(kIdeDevice, 0xe0);
  EXPECT_EQ(run(Command::ReadNativeMax), kOk);
  EXPECT_EQ(u32{read(kIdeLbaLow)} | u32{read(kIdeLbaMid)} << 8 | u32{read(kIdeLbaHigh)} << 16, kSectors - 1);
  for (Command refused : {Command::Nop, Command::DeviceReset, Command::Packet, Command::IdentifyPacketDevice,
                          Command::ReadFpdmaQueued, Command::ReadLogExt, static_cast<Command>(0xb0),
                          static_cast<Command>(0xff)}) {
    EXPECT_EQ(run(refused), kOk | kStatusErr) << static_cast<int>(refused);
    EXPECT_EQ(read(kIdeError), kErrorAbrt) << static_cast<int>(refused);
  }
}

TEST_F(IdeTest, SleepEndsWithAReset) {
  write(kIdeDevice, 0xe0);
  EXPECT_EQ(run(Command::Sleep), kOk);
  read(kIdeStatus);
  command(Command::IdentifyDevice);
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
  control(4);
  control(0);
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(run(Command::IdentifyDevice), kOk | kStatusDrq);
}

TEST_F(IdeTest, SoftwareResetStopsEverythingAndSigns) {
  lba28(1, 7, 3);
  run(Command::ReadSectors);
  EXPECT_TRUE(irq());
  control(0x04);
  EXPECT_FALSE(irq());
  EXPECT_EQ(read(kIdeStatus), kStatusBsy);
  clock.step(5'000'000);
  EXPECT_EQ(read(kIdeStatus), kStatusBsy) << "as long as SRST is set";
  control(0x00);
  EXPECT_EQ(read(kIdeStatus), kStatusBsy);
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(read(kIdeDevice) & 0x10, 0) << "device 0 is selected";
  EXPECT_EQ(read(kIdeCount), 1);
  EXPECT_EQ(read(kIdeError), 1);
  EXPECT_FALSE(irq());
}

TEST_F(IdeTest, InterruptsCanBeMasked) {
  control(0x02);
  lba28(0, 0, 1);
  run(Command::ReadSectors);
  EXPECT_FALSE(irq());
  control(0x00);
  EXPECT_TRUE(irq()) << "it was only masked";
}

TEST_F(IdeTest, TheTwoDevicesHaveTheirOwnResults) {
  lba28(0, kSectors, 1);
  run(Command::ReadSectors);
  write(kIdeDevice, 0xf0);
  EXPECT_EQ(read(kIdeStatus), kOk);
  run(Command::IdentifyDevice);
  EXPECT_EQ(word(read_block(512), 60), 5000);
  write(kIdeDevice, 0xe0);
  EXPECT_EQ(read(kIdeStatus), kOk | kStatusErr);
}

TEST_F(IdeTest, RegistersAndCommandsAreIgnoredWhileBusy) {
  lba28(0, 20, 1);
  command(Command::ReadSectors);
  write(kIdeLbaLow, 99);
  write(kIdeDevice, 0xf0);
  command(Command::WriteSectors);
  EXPECT_EQ(settle(), kOk | kStatusDrq);
  command(Command::IdentifyDevice);
  EXPECT_EQ(read_block(512), disk.sectors(20, 1));
}

// Bus mastering

TEST_F(IdeTest, DmaReadScatters) {
  table({{0x2000, 512}, {0x8002, 1024 - 4}, {0x3000, 4}});
  lba28(0, 300, 3);
  command(Command::ReadDma);
  start_bus_master(true);
  EXPECT_EQ(bmis() & 5, 1);
  EXPECT_EQ(clock.next_deadline_ns(), clock.now_ns() + block_request_ns(3 * 512));
  EXPECT_EQ(settle(), kOk);
  EXPECT_TRUE(irq());
  EXPECT_EQ(bmis() & 7, 4) << "interrupt, not active: the table held exactly the data";
  EXPECT_EQ(memory.bytes(0x2000, 512), disk.sectors(300, 1));
  auto rest = memory.bytes(0x8002, 1020);
  const auto last = memory.bytes(0x3000, 4);
  rest.insert(rest.end(), last.begin(), last.end());
  EXPECT_EQ(rest, disk.sectors(301, 2));
  EXPECT_EQ(memory.ram[0x8001], 0);
  EXPECT_EQ(memory.ram[0x8002 + 1020], 0);
}

TEST_F(IdeTest, DmaWaitsForTheEngine) {
  table({{0x2000, 0}});  // 0: 64 KiB
  lba48(0, 400, 128);
  command(Command::ReadDmaExt);
  clock.step(1'000'000);
  EXPECT_EQ(alternate_status(), kOk | kStatusDrq);
  EXPECT_FALSE(irq());
  start_bus_master(true);
  EXPECT_FALSE(irq()) << "never inside the write";
  clock.step(0);
  EXPECT_TRUE(irq());
  EXPECT_EQ(memory.bytes(0x2000, 65536), disk.sectors(400, 128));
}

TEST_F(IdeTest, DmaWriteGathers) {
  for (u32 i = 0; i < 2048; ++i) memory.ram[0x4000 + i] = static_cast<u8>(i * 5);
  table({{0x4000, 100}, {0x4064, 2048 - 100}});
  lba28(0, 600, 4);
  command(Command::WriteDma);
  start_bus_master(false);
  EXPECT_EQ(disk.writes, 0);
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(disk.sectors(600, 4), memory.bytes(0x4000, 2048));
  EXPECT_EQ(disk.flushes, 0);
  lba48(0, 700, 4);
  command(Command::WriteDmaFuaExt);
  start_bus_master(false);
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(disk.flushes, 1);
}

TEST_F(IdeTest, ATableThatIsTooLongLeavesTheEngineActive) {
  table({{0x2000, 4096}});
  lba28(0, 0, 1);
  command(Command::ReadDma);
  start_bus_master(true);
  settle();
  EXPECT_EQ(bmis() & 7, 5);
  out8(bus_master(), ide::BusMaster::kCommand, 8);
  EXPECT_EQ(bmis() & 7, 4);
}

TEST_F(IdeTest, ATableThatIsTooShortNeverCompletes) {
  table({{0x2000, 512}});
  lba28(0, 0, 2);
  command(Command::ReadDma);
  start_bus_master(true);
  clock.step(1'000'000'000);
  EXPECT_FALSE(irq());
  EXPECT_EQ(bmis() & 7, 0);
  EXPECT_EQ(alternate_status() & kStatusDrq, kStatusDrq);
  EXPECT_EQ(memory.bytes(0x2000, 512), disk.sectors(0, 1));
  control(4);
  control(0);
  EXPECT_EQ(settle(), kOk) << "a reset helps";
}

TEST_F(IdeTest, DmaOutsideRamFailsOnTheBus) {
  const auto fails = [&](auto setup) {
    setup();
    lba28(0, 0, 2);
    command(Command::ReadDma);
    start_bus_master(true);
    clock.step(1'000'000);
    EXPECT_EQ(bmis() & 7, 2);
    EXPECT_FALSE(irq());
    control(4);
    control(0);
    settle();
  };
  fails([&] { table({{0xfff0'0000, 1024}}); });
  fails([&] { table({{(1 << 20) - 512, 1024}}); });
  table({{0x2000, 1024}});
  lba28(0, 0, 2);
  command(Command::ReadDma);
  start_bus_master(true);
  for (u16 i = 0; i < 4; ++i) out8(bus_master(), static_cast<u16>(ide::BusMaster::kTable + i), 0xfc);
  clock.step(1'000'000);
  EXPECT_EQ(bmis() & 7, 2) << "the table itself";
}

TEST_F(IdeTest, DmaNeedsBusMasteringAndTheRightDirection) {
  table({{0x2000, 512}});
  lba28(0, 0, 1);
  command(Command::ReadDma);
  start_bus_master(false);
  clock.step(1'000'000);
  EXPECT_EQ(bmis() & 7, 2);
  control(4);
  control(0);
  settle();
  lba28(0, 0, 1);
  command(Command::ReadDma);
  start_bus_master(true);
  ide.config_write(pci::kCommand, Width::Word, pci::kCommandIo);
  clock.step(1'000'000);
  EXPECT_EQ(bmis() & 7, 2);
  EXPECT_EQ(memory.bytes(0x2000, 512), std::vector<u8>(512));
}

TEST_F(IdeTest, ATableWithoutAnEndIsBounded) {
  for (u32 at = 0; at < 0x1'0000; at += 8) {
    memory.put<u32>(at, 0x2'0000);
    memory.put<u32>(at + 4, 2);
  }
  lba48(0, 0, 65536 & 0xffff);
  command(Command::ReadDmaExt);
  start_bus_master(true);
  clock.step(1'000'000'000);
  EXPECT_EQ(bmis() & 7, 0) << "the table ends with its 64 KiB";
}

TEST_F(IdeTest, DmaReadErrorEndsWithAnInterrupt) {
  disk.bad_reads[2] = BlockStatus::ReadError;
  table({{0x2000, 2048}});
  lba28(0, 0, 4);
  command(Command::ReadDma);
  start_bus_master(true);
  EXPECT_EQ(settle(), kOk | kStatusErr);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIdeError), kErrorUnc);
  EXPECT_EQ(read(kIdeLbaLow), 2);
  EXPECT_EQ(memory.bytes(0x2000, 1024), disk.sectors(0, 2));
}

TEST_F(IdeTest, TrimZeroesRanges) {
  memory.put<u64>(0x5000, u64{3} << 48 | 10);
  memory.put<u64>(0x5008, u64{0} << 48 | 500);
  memory.put<u64>(0x5010, u64{1} << 48 | 20);
  table({{0x5000, 512}});
  lba48(0, 0, 1);
  write(kIdeFeatures, 1);
  command(Command::DataSetManagement);
  start_bus_master(false);
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(disk.discards, 2);
  EXPECT_EQ(disk.sectors(10, 3), std::vector<u8>(3 * 512));
  EXPECT_NE(disk.sectors(13, 1), std::vector<u8>(512));
  memory.put<u64>(0x5000, u64{2} << 48 | (kSectors - 1));
  command(Command::DataSetManagement);
  start_bus_master(false);
  EXPECT_EQ(settle(), kOk | kStatusErr);
  write(kIdeCount, 0);
  write(kIdeCount, 9);
  EXPECT_EQ(run(Command::DataSetManagement), kOk | kStatusErr) << "too many blocks";
  EXPECT_EQ(disk.discards, 2);
}

TEST_F(IdeTest, SaveAndLoadInFlight) {
  table({{0x2000, 1024}});
  lba28(0, 40, 2);
  command(Command::ReadDma);
  start_bus_master(true);
  clock.step(3'000);
  const std::vector<u8> state = saved(ide);
  settle();
  const std::vector<u8> after = saved(ide);
  ide.reset(ResetKind::PowerOn);
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
  memory.ram.assign(memory.ram.size(), 0);
  table({{0x2000, 1024}});
  ASSERT_TRUE(load(ide, state));
  EXPECT_EQ(alternate_status() & kStatusBsy, kStatusBsy);
  EXPECT_EQ(settle(), kOk);
  EXPECT_EQ(memory.bytes(0x2000, 1024), disk.sectors(40, 2));
  EXPECT_EQ(saved(ide), after);
}

TEST_F(IdeTest, SaveAndLoadInABlock) {
  lba28(0, 40, 2);
  run(Command::ReadSectors);
  const auto head = read_block(100);
  const std::vector<u8> state = saved(ide);
  ide.reset(ResetKind::PowerOn);
  ASSERT_TRUE(load(ide, state));
  auto block = head;
  const auto tail = read_block(412);
  block.insert(block.end(), tail.begin(), tail.end());
  EXPECT_EQ(block, disk.sectors(40, 1));
  EXPECT_EQ(settle(), kOk | kStatusDrq);
  EXPECT_EQ(read_block(512), disk.sectors(41, 1));
}

TEST_F(IdeTest, ResetState) {
  const std::vector<u8> fresh = saved(ide);
  lba28(0, 40, 2);
  command(Command::ReadSectors);
  start_bus_master(true);
  ide.reset(ResetKind::Warm);
  EXPECT_EQ(saved(ide), fresh);
  EXPECT_FALSE(irq());
}

class IdeNoiseTest : public ::testing::TestWithParam<u32>, protected Media, protected IdeBoard {
 protected:
  static ide::IdeController::Units units(Media& media, MemoryMedium& disc) {
    auto all = two_disks(media);
    all[2] = std::make_unique<Cdrom>(disc, "CD", Cable::Parallel);
    return all;
  }
  IdeNoiseTest() : IdeBoard(units(*this, disc_)) {}
  MemoryMedium disc_{1001};
};

TEST_P(IdeNoiseTest, Survives) {
  Noise noise(GetParam());
  disk.bad_reads[3] = BlockStatus::ReadError;
  disk.bad_writes[9] = BlockStatus::NoSpace;
  static constexpr Command kCommon[] = {
      Command::ReadSectors,   Command::ReadDma,           Command::WriteSectors, Command::WriteDmaExt,
      Command::Packet,        Command::IdentifyDevice,    Command::ReadMultiple, Command::SetMultiple,
      Command::WriteMultiple, Command::DataSetManagement, Command::DeviceReset,  Command::ReadVerifyExt};
  for (int i = 0; i < 60'000; ++i) {
    const unsigned index = noise.below(2);
    switch (noise.below(16)) {
      case 0: noise.ports(*ide.bar(4).ports, 16, Width::Byte); break;
      case 1: control(noise.below(8) == 0 ? noise.value() : 0, index); break;
      case 2: clock.step(noise.below(40'000)); break;
      case 3: write(kIdeCommand, static_cast<u32>(kCommon[noise.below(std::size(kCommon))]), index); break;
      case 4: lba28(static_cast<u8>(noise.below(2)), noise.below(20), noise.below(5)); break;
      case 5:
        memory.put<u32>(noise.below(0x4000) * 4, noise.below(2) ? noise.value() : noise.below(0x10000));
        break;
      case 6: read_block(2 + noise.below(1024), index); break;
      case 7:
        write_block(std::vector<u8>(2 + noise.below(1024), static_cast<u8>(noise.next())), index);
        break;
      case 8:
        write_block(std::vector<u8>{static_cast<u8>(noise.below(2) ? 0x28 : noise.next()), 0, 0, 0, 0,
                                    static_cast<u8>(noise.below(255)), 0, 0, static_cast<u8>(noise.below(8)),
                                    0, 0, 0},
                    index);
        break;
      case 9: start_bus_master(noise.below(2)); break;
      case 10: {
        std::vector<u8> data(noise.below(1500));
        const Width width = static_cast<Width>(1 << noise.below(3));
        data.resize(data.size() / 4 * 4);
        const u16 offset = static_cast<u16>(noise.below(4) ? 0 : noise.below(8));
        if (noise.below(2))
          channel(index).pio_read_ahead(offset, width, data);
        else
          channel(index).pio_write_ahead(offset, width, data);
        break;
      }
      case 11:
        if (noise.below(50) == 0) {
          const auto state = saved(ide);
          ASSERT_TRUE(load(ide, state));
          ASSERT_EQ(saved(ide), state);
        }
        break;
      default: noise.ports(channel(index), 8, Width::Dword); break;
    }
  }
  clock.step(1'000'000'000'000);
  for (unsigned index : {0u, 1u}) {
    control(4, index);
    control(0, index);
    settle(index);
    write(kIdeDevice, 0xe0, index);
    EXPECT_TRUE(run(index == 0 ? Command::IdentifyDevice : Command::IdentifyPacketDevice, index) & kStatusDrq)
        << "still answers";
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, IdeNoiseTest, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace reprise::devices
