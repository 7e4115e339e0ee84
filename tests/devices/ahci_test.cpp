// devices/ahci with disks and a CD-ROM drive, driven as a driver would: command lists in memory.
#include "devices/ahci/ahci_controller.h"

#include "devices/ata/cdrom.h"
#include "devices/ata/disk.h"
#include "tests/devices/ata_board.h"

namespace reprise::devices {
namespace {

using namespace testing;
using namespace ata;
using ahci::AhciController;
using ahci::AhciPort;

constexpr u64 kSectors = 100'000;
constexpr u8 kOk = kStatusReady;
constexpr u64 kList = 0x1000, kFis = 0x1800, kTables = 0x2000, kTableBytes = 0x400, kData = 0x1'0000;
constexpr u32 kIsRegisters = 1, kIsPioSetup = 2, kIsDeviceBits = 8, kIsOverflow = 1u << 24,
              kIsBusFatal = 1u << 29, kIsTaskFileError = 1u << 30;

class FakeMsi final : public MsiSink {
 public:
  void send_msi(u64 phys, u32 data) override { messages.emplace_back(phys, data); }
  std::vector<std::pair<u64, u32>> messages;
};

struct AhciBoard {
  AhciBoard() : memory(1 << 20), hba(clock, wires.line(11), msi, memory, units()) {
    disk.number_sectors();
    disc.number_sectors();
  }
  AhciController::Units units() {
    AhciController::Units all;
    all[0] = std::make_unique<Disk>(disk, "R0001", Cable::Serial);
    all[2] = std::make_unique<Cdrom>(disc, "CD", Cable::Serial);
    return all;
  }
  u32 port(u64 offset, unsigned index = 0) {
    return mmio32(hba, AhciController::kPort0 + index * AhciPort::kBytes + offset);
  }
  void port_write(u64 offset, u32 value, unsigned index = 0) {
    mmio32(hba, AhciController::kPort0 + index * AhciPort::kBytes + offset, value);
  }
  void start(unsigned index = 0) {
    hba.config_write(pci::kCommand, Width::Word, pci::kCommandMemory | pci::kCommandBusMaster);
    clock.step(1'000'000);
    port_write(AhciPort::kSerr, ~0u, index);
    port_write(AhciPort::kClb, kList, index);
    port_write(AhciPort::kFb, kFis, index);
    port_write(AhciPort::kIs, ~0u, index);
    port_write(AhciPort::kIe, ~0u, index);
    port_write(AhciPort::kCmd, 0x11, index);
    mmio32(hba, AhciController::kIs, ~0u);
    mmio32(hba, AhciController::kGhc, 0x8000'0002);
  }

  struct Request {
    Command command;
    u64 lba = 0;
    u32 count = 0;
    u32 features = 0;
    std::vector<std::pair<u64, u32>> regions = {};
    std::vector<u8> packet = {};
    u8 device = 0x40;
  };
  void prepare(unsigned slot, const Request& request) {
    auto regions = request.regions;
    const u64 table = kTables + slot * kTableBytes;
    memory.put<u32>(kList + 32 * slot,
                    5 | (request.packet.empty() ? 0 : 0x20u) | static_cast<u32>(regions.size()) << 16);
    memory.put<u32>(kList + 32 * slot + 4, 0);
    memory.put<u64>(kList + 32 * slot + 8, table);
    const u8 fis[20] = {0x27,
                        0x80,
                        u8(request.command),
                        u8(request.features),
                        u8(request.lba),
                        u8(request.lba >> 8),
                        u8(request.lba >> 16),
                        request.device,
                        u8(request.lba >> 24),
                        u8(request.lba >> 32),
                        u8(request.lba >> 40),
                        u8(request.features >> 8),
                        u8(request.count),
                        u8(request.count >> 8)};
    for (unsigned i = 0; i < 20; ++i) memory.put<u8>(table + i, fis[i]);
    for (unsigned i = 0; i < request.packet.size(); ++i) memory.put<u8>(table + 0x40 + i, request.packet[i]);
    for (unsigned i = 0; i < regions.size(); ++i) {
      memory.put<u64>(table + 0x80 + 16 * i, regions[i].first);
      memory.put<u32>(table + 0x80 + 16 * i + 12, regions[i].second - 1);
    }
  }
  void issue(unsigned slot, const Request& request, unsigned index = 0) {
    prepare(slot, request);
    if (request.command == Command::ReadFpdmaQueued || request.command == Command::WriteFpdmaQueued)
      port_write(AhciPort::kSact, 1u << slot, index);
    port_write(AhciPort::kCi, 1u << slot, index);
  }
  /// Issues in slot 0 and steps time until everything is done. The status register then.
  u8 run(const Request& request, unsigned index = 0) {
    issue(0, request, index);
    settle();
    return static_cast<u8>(port(AhciPort::kTfd, index));
  }
  void settle() {
    for (int i = 0; i < 100 && clock.next_deadline_ns() != Clock::kNever; ++i)
      clock.run_until(clock.next_deadline_ns());
  }
  void clear(unsigned index = 0) {
    port_write(AhciPort::kIs, ~0u, index);
    mmio32(hba, AhciController::kIs, ~0u);
  }
  void restart(unsigned index = 0) {
    port_write(AhciPort::kCmd, 0x10, index);
    clear(index);
    port_write(AhciPort::kCmd, 0x11, index);
  }
  bool irq() const { return wires.level(11); }
  Request queued(bool write, unsigned slot, u64 lba, u32 count) const {
    return {.command = write ? Command::WriteFpdmaQueued : Command::ReadFpdmaQueued,
            .lba = lba,
            .count = slot << 3,
            .features = count,
            .regions = {{kData + slot * 0x1000, count * 512}}};
  }

  FakeClock clock;
  FakeWires wires;
  FakeMsi msi;
  FakeMemory memory;
  MemoryMedium disk{kSectors};
  MemoryMedium disc{4000};
  AhciController hba;
};

class AhciTest : public ::testing::Test, protected AhciBoard {};

TEST_F(AhciTest, Identity) {
  EXPECT_EQ(hba.config_read(pci::kVendorId, Width::Dword), 0x29228086u);
  EXPECT_EQ(hba.config_read(pci::kRevision, Width::Dword) >> 8, 0x010601u);
  EXPECT_EQ(hba.bar(5).bytes, 4096u);
  EXPECT_EQ(mmio32(hba, AhciController::kCap) & 0xc000'1f1f, 0xc000'1f05u) << "queuing, 32 slots, 6 ports";
  EXPECT_EQ(mmio32(hba, AhciController::kPi), 0x3fu);
  EXPECT_EQ(mmio32(hba, AhciController::kVs), 0x10300u);
  EXPECT_EQ(mmio32(hba, AhciController::kGhc), 0x8000'0000u);
}

TEST_F(AhciTest, PortsTellWhatIsThere) {
  clock.step(1'000'000);
  EXPECT_EQ(port(AhciPort::kSsts) & 0xf, 3u);
  EXPECT_EQ(port(AhciPort::kSig), 0x101u);
  EXPECT_EQ(port(AhciPort::kTfd), 0x150u);
  EXPECT_EQ(port(AhciPort::kSsts, 1), 0u);
  EXPECT_EQ(port(AhciPort::kSig, 1), 0xffff'ffffu);
  EXPECT_EQ(port(AhciPort::kTfd, 1), 0x7fu);
  EXPECT_EQ(port(AhciPort::kSig, 2), 0xeb140101u);
}

TEST_F(AhciTest, IdentifyByPio) {
  start();
  issue(0, {.command = Command::IdentifyDevice, .regions = {{kData, 512}}});
  EXPECT_EQ(port(AhciPort::kCi), 1u);
  EXPECT_EQ(port(AhciPort::kTfd) & kStatusBsy, kStatusBsy);
  EXPECT_FALSE(irq()) << "never inside the write";
  EXPECT_EQ(clock.next_deadline_ns(), clock.now_ns() + block_request_ns(512));
  settle();
  EXPECT_EQ(port(AhciPort::kCi), 0u);
  EXPECT_TRUE(irq());
  EXPECT_EQ(port(AhciPort::kIs), kIsPioSetup);
  EXPECT_EQ(memory.get<u8>(kFis + 0x20), 0x5f);
  EXPECT_EQ(memory.get<u8>(kFis + 0x20 + 15), kOk) << "E_Status";
  EXPECT_EQ(memory.get<u32>(kList + 4), 512u) << "PRDBC";
  EXPECT_EQ(memory.get<u16>(kData + 2 * 75), 31) << "queue depth";
  EXPECT_EQ(memory.get<u16>(kData + 2 * 76) & 0x100, 0x100);
  EXPECT_EQ(memory.get<u16>(kData + 2 * 93), 0);
  EXPECT_EQ(mmio32(hba, AhciController::kIs), 1u);
  port_write(AhciPort::kIs, kIsPioSetup);
  EXPECT_TRUE(irq()) << "IS holds it";
  mmio32(hba, AhciController::kIs, 1);
  EXPECT_FALSE(irq());
}

TEST_F(AhciTest, DmaBothWays) {
  start();
  EXPECT_EQ(run({.command = Command::ReadDmaExt,
                 .lba = 70'000,
                 .count = 3,
                 .regions = {{kData, 1000}, {kData + 0x2000, 536}}}),
            kOk);
  auto seen = memory.bytes(kData, 1000);
  const auto tail = memory.bytes(kData + 0x2000, 536);
  seen.insert(seen.end(), tail.begin(), tail.end());
  EXPECT_EQ(seen, disk.sectors(70'000, 3));
  EXPECT_EQ(port(AhciPort::kIs), kIsRegisters);
  EXPECT_EQ(memory.get<u8>(kFis + 0x40), 0x34);
  EXPECT_EQ(memory.get<u8>(kFis + 0x42), kOk);
  for (u32 i = 0; i < 1024; ++i) memory.ram[kData + i] = static_cast<u8>(i * 11);
  EXPECT_EQ(run({.command = Command::WriteDmaExt, .lba = 9, .count = 2, .regions = {{kData, 1024}}}), kOk);
  EXPECT_EQ(disk.sectors(9, 2), memory.bytes(kData, 1024));
  EXPECT_EQ(run({.command = Command::FlushCacheExt}), kOk);
  EXPECT_EQ(disk.flushes, 1);
  EXPECT_EQ(
      run({.command = Command::ReadDma, .lba = 5, .count = 1, .regions = {{kData, 512}}, .device = 0xe0}),
      kOk);
  EXPECT_EQ(memory.bytes(kData, 512), disk.sectors(5, 1));
}

TEST_F(AhciTest, CommandsThatAreNotQueuedRunOneByOne) {
  start();
  for (unsigned slot : {3u, 1u, 2u})
    prepare(
        slot,
        {.command = Command::ReadDmaExt, .lba = slot, .count = 1, .regions = {{kData + slot * 512, 512}}});
  port_write(AhciPort::kCi, 0b1110);
  const u64 begin = clock.now_ns();
  clock.run_until(begin + block_request_ns(512));
  EXPECT_EQ(port(AhciPort::kCi), 0b1100u);
  settle();
  EXPECT_EQ(clock.now_ns(), begin + 3 * block_request_ns(512));
  EXPECT_EQ(memory.bytes(kData + 512, 3 * 512), disk.sectors(1, 3));
}

TEST_F(AhciTest, QueuedCommandsOverlap) {
  start();
  for (unsigned i = 0; i < 1024; ++i) memory.ram[kData + 31 * 0x1000 + i] = static_cast<u8>(i);
  issue(4, queued(false, 4, 100, 8));
  issue(0, queued(false, 0, 200, 1));
  issue(31, queued(true, 31, 300, 2));
  EXPECT_EQ(port(AhciPort::kCi), 0u) << "accepted";
  EXPECT_EQ(port(AhciPort::kSact), 0x8000'0011u);
  EXPECT_EQ(port(AhciPort::kTfd) & kStatusBsy, 0u);
  clock.run_until(clock.now_ns() + block_request_ns(512));
  EXPECT_EQ(port(AhciPort::kSact), 0x8000'0010u) << "the shortest first";
  EXPECT_EQ(port(AhciPort::kIs), kIsDeviceBits);
  EXPECT_EQ(memory.get<u8>(kFis + 0x58), 0xa1);
  EXPECT_EQ(memory.get<u32>(kFis + 0x5c), 1u);
  settle();
  EXPECT_EQ(port(AhciPort::kSact), 0u);
  EXPECT_EQ(memory.bytes(kData + 4 * 0x1000, 8 * 512), disk.sectors(100, 8));
  EXPECT_EQ(memory.bytes(kData, 512), disk.sectors(200, 1));
  EXPECT_EQ(disk.sectors(300, 2), memory.bytes(kData + 31 * 0x1000, 1024));
  auto fua = queued(true, 1, 300, 1);
  fua.device = 0xc0;
  issue(1, fua);
  settle();
  EXPECT_EQ(disk.flushes, 1);
}

TEST_F(AhciTest, ErrorStopsThePortUntilTheDriverActs) {
  start();
  EXPECT_EQ(run({.command = Command::ReadDmaExt, .lba = kSectors, .count = 1, .regions = {{kData, 512}}}),
            kOk | kStatusErr);
  EXPECT_EQ(port(AhciPort::kTfd) >> 8, kErrorIdnf);
  EXPECT_EQ(port(AhciPort::kIs), kIsTaskFileError | kIsRegisters);
  EXPECT_EQ(port(AhciPort::kCi), 1u) << "stays";
  EXPECT_TRUE(irq());
  issue(1, {.command = Command::FlushCacheExt});
  settle();
  EXPECT_EQ(disk.flushes, 0);
  restart();
  EXPECT_EQ(port(AhciPort::kCi), 0u);
  EXPECT_EQ(run({.command = Command::FlushCacheExt}), kOk);
  disk.bad_reads[12] = BlockStatus::ReadError;
  EXPECT_EQ(run({.command = Command::ReadDmaExt, .lba = 10, .count = 4, .regions = {{kData, 2048}}}),
            kOk | kStatusErr);
  EXPECT_EQ(port(AhciPort::kTfd) >> 8, kErrorUnc);
  EXPECT_EQ(memory.get<u8>(kFis + 0x44), 12);
  EXPECT_EQ(memory.bytes(kData, 1024), disk.sectors(10, 2));
}

TEST_F(AhciTest, QueuedErrorIsInTheLog) {
  start();
  disk.bad_writes[0x12345] = BlockStatus::NoSpace;
  issue(5, queued(true, 5, 0x12345, 1));
  issue(6, queued(false, 6, 1, 8));
  settle();
  EXPECT_EQ(port(AhciPort::kIs), kIsTaskFileError | kIsDeviceBits);
  EXPECT_EQ(port(AhciPort::kSact), 0x60u) << "neither has completed";
  EXPECT_EQ(clock.next_deadline_ns(), Clock::kNever);
  restart();
  EXPECT_EQ(run({.command = Command::ReadLogExt, .lba = 0x10, .count = 1, .regions = {{kData, 512}}}), kOk);
  const auto log = memory.bytes(kData, 512);
  EXPECT_EQ(log[0], 5);
  EXPECT_EQ(log[2], kOk | kStatusErr);
  EXPECT_EQ(log[3], kErrorAbrt);
  EXPECT_EQ(log[4] | log[5] << 8 | log[6] << 16, 0x12345);
  EXPECT_EQ(std::accumulate(log.begin(), log.end(), u8{0}, [](u8 a, u8 b) { return u8(a + b); }), 0);
  EXPECT_EQ(run({.command = Command::ReadLogExt, .lba = 0, .count = 1, .regions = {{kData, 512}}}), kOk);
  EXPECT_EQ(memory.get<u16>(kData + 2 * 0x10), 1);
  EXPECT_EQ(run({.command = Command::ReadLogExt, .lba = 0x30, .count = 1, .regions = {{kData, 512}}}),
            kOk | kStatusErr);
}

TEST_F(AhciTest, BadTables) {
  start();
  EXPECT_EQ(run({.command = Command::ReadDmaExt, .count = 2, .regions = {{kData, 512}}}) & kStatusBsy,
            kStatusBsy)
      << "never ends";
  EXPECT_EQ(port(AhciPort::kIs), kIsOverflow);
  EXPECT_EQ(memory.bytes(kData, 512), disk.sectors(0, 1));
  restart();
  run({.command = Command::ReadDmaExt, .count = 2, .regions = {{1 << 20, 1024}}});
  EXPECT_EQ(port(AhciPort::kIs), kIsBusFatal);
  restart();
  run({.command = Command::WriteDmaExt, .count = 2, .regions = {{~u64{0} - 100, 1024}}});
  EXPECT_EQ(port(AhciPort::kIs), kIsBusFatal);
  EXPECT_EQ(disk.writes, 0);
  restart();
  memory.put<u64>(kList + 8, 0xffff'ffff'ffff'ff80);
  port_write(AhciPort::kCi, 1);
  EXPECT_EQ(port(AhciPort::kIs), kIsBusFatal);
  restart();
  port_write(AhciPort::kClbu, 0xffff);
  port_write(AhciPort::kCi, 1);
  EXPECT_EQ(port(AhciPort::kIs), kIsBusFatal);
  port_write(AhciPort::kClbu, 0);
  restart();
  hba.config_write(pci::kCommand, Width::Word, pci::kCommandMemory);
  run({.command = Command::FlushCacheExt});
  EXPECT_EQ(port(AhciPort::kIs), kIsBusFatal) << "no bus master";
}

TEST_F(AhciTest, PacketCommands) {
  start(2);
  const auto packet = [&](std::vector<u8> cdb, u32 bytes, bool dma) {
    cdb.resize(12);
    return run({.command = Command::Packet,
                .lba = 0xfffe00,
                .features = dma ? 1u : 0u,
                .regions = {{kData, bytes}},
                .packet = cdb},
               2);
  };
  EXPECT_EQ(packet({0}, 2, false), kOk | kStatusErr) << "attention";
  EXPECT_EQ(port(AhciPort::kTfd, 2) >> 8 >> 4, 6u);
  restart(2);
  EXPECT_EQ(packet({0}, 2, false), kOk);
  for (bool dma : {false, true}) {
    EXPECT_EQ(packet({0x28, 0, 0, 0, 0, 7, 0, 0, 3}, 6144, dma), kOk);
    EXPECT_EQ(memory.bytes(kData, 6144), disc.sectors(28, 12));
    EXPECT_EQ(port(AhciPort::kIs, 2) & kIsRegisters, kIsRegisters);
    clear(2);
  }
  EXPECT_EQ(run({.command = Command::IdentifyPacketDevice, .regions = {{kData, 512}}}, 2), kOk);
  EXPECT_EQ(memory.get<u16>(kData), 0x85c0);
  EXPECT_EQ(run({.command = Command::IdentifyDevice, .regions = {{kData, 512}}}, 2), kOk | kStatusErr);
}

TEST_F(AhciTest, ComresetSignsAgain) {
  start();
  issue(0, {.command = Command::ReadDmaExt, .count = 8, .regions = {{kData, 4096}}});
  port_write(AhciPort::kCmd, 0x10);
  port_write(AhciPort::kSctl, 1);
  EXPECT_EQ(port(AhciPort::kSsts), 0u);
  clock.step(1'000'000);
  EXPECT_EQ(disk.reads, 0);
  port_write(AhciPort::kSctl, 0);
  EXPECT_EQ(port(AhciPort::kSsts) & 0xf, 3u);
  EXPECT_EQ(port(AhciPort::kIs) & (1u << 6), 1u << 6) << "follows SERR.DIAG.X";
  EXPECT_NE(port(AhciPort::kTfd) & kStatusBsy, 0u);
  clock.step(1'000'000);
  EXPECT_EQ(port(AhciPort::kTfd), 0x150u);
  EXPECT_EQ(memory.get<u8>(kFis + 0x40), 0x34);
  port_write(AhciPort::kSerr, ~0u);
  EXPECT_EQ(port(AhciPort::kIs) & (1u << 6), 0u);
}

TEST_F(AhciTest, SoftwareResetByControlFis) {
  start();
  prepare(0, {.command = Command::Nop});
  prepare(1, {.command = Command::Nop});
  for (unsigned slot : {0u, 1u}) memory.put<u8>(kTables + slot * kTableBytes + 1, 0);
  memory.put<u8>(kTables + 15, 4);
  port_write(AhciPort::kCi, 1);
  EXPECT_EQ(port(AhciPort::kCi), 0u);
  EXPECT_NE(port(AhciPort::kTfd) & kStatusBsy, 0u);
  port_write(AhciPort::kCi, 2);
  settle();
  EXPECT_EQ(port(AhciPort::kTfd), 0x150u);
  EXPECT_EQ(memory.get<u8>(kFis + 0x40 + 12), 1) << "the signature";
}

TEST_F(AhciTest, MessagesInsteadOfTheWire) {
  start();
  const u8 capability = static_cast<u8>(hba.config_read(pci::kCapabilities, Width::Byte));
  ASSERT_EQ(hba.config_read(capability, Width::Byte), 5u);
  hba.config_write(capability + 4, Width::Dword, 0xfee0'1000);
  hba.config_write(capability + 12, Width::Word, 0x4031);
  hba.config_write(capability + 2, Width::Word, 1);
  run({.command = Command::FlushCacheExt});
  EXPECT_FALSE(irq());
  EXPECT_EQ(msi.messages, (std::vector<std::pair<u64, u32>>{{0xfee0'1000, 0x4031}}));
  mmio32(hba, AhciController::kIs, 1);
  EXPECT_EQ(msi.messages.size(), 2u) << "the port still wants one";
  clear();
  EXPECT_EQ(msi.messages.size(), 2u);
  hba.config_write(capability + 2, Width::Word, 0);
  run({.command = Command::FlushCacheExt});
  EXPECT_TRUE(irq());
  hba.config_write(pci::kCommand, Width::Word, 0x406);
  EXPECT_FALSE(irq()) << "interrupt disable";
}

TEST_F(AhciTest, AdapterReset) {
  start();
  run({.command = Command::FlushCacheExt});
  mmio32(hba, AhciController::kGhc, 0x8000'0003);
  EXPECT_EQ(mmio32(hba, AhciController::kGhc), 0x8000'0000u);
  EXPECT_FALSE(irq());
  EXPECT_EQ(port(AhciPort::kCmd) & 0x11, 0u);
  settle();
  EXPECT_EQ(port(AhciPort::kSig), 0x101u);
}

TEST_F(AhciTest, SaveAndLoadInFlight) {
  start();
  issue(4, queued(false, 4, 100, 8));
  issue(7, queued(false, 7, 50, 1));
  clock.step(2'000);
  const auto state = saved(hba);
  settle();
  const auto after = saved(hba);
  hba.reset(ResetKind::PowerOn);
  settle();
  std::fill(memory.ram.begin() + kData, memory.ram.end(), u8{0});
  clock.step(1'000);
  ASSERT_TRUE(load(hba, state));
  settle();
  EXPECT_EQ(memory.bytes(kData + 4 * 0x1000, 8 * 512), disk.sectors(100, 8));
  EXPECT_EQ(saved(hba), after);
}

class AhciNoiseTest : public ::testing::TestWithParam<u32>, protected AhciBoard {};

TEST_P(AhciNoiseTest, Survives) {
  Noise noise(GetParam());
  disk.bad_reads[3] = BlockStatus::ReadError;
  disk.bad_writes[9] = BlockStatus::NoSpace;
  static constexpr Command kCommon[] = {
      Command::ReadDmaExt,        Command::WriteDmaExt,    Command::ReadFpdmaQueued,
      Command::WriteFpdmaQueued,  Command::IdentifyDevice, Command::Packet,
      Command::DataSetManagement, Command::ReadLogExt,     Command::ReadSectorsExt};
  start(0);
  start(2);
  for (int i = 0; i < 40'000; ++i) {
    const unsigned index = noise.below(2) * 2;
    switch (noise.below(12)) {
      case 0: noise.page(hba, AhciController::kBytes); break;
      case 1: clock.step(noise.below(50'000)); break;
      case 2: memory.put<u32>(kList + noise.below(0x4000), noise.value()); break;
      case 3:
        if (noise.below(4) == 0) start(index);
        break;
      case 4:
        if (noise.below(50) == 0)
          hba.config_write(static_cast<u8>(noise.next()), Width::Dword, noise.value());
        break;
      case 5:
        if (noise.below(50) == 0) {
          const auto state = saved(hba);
          ASSERT_TRUE(load(hba, state));
          ASSERT_EQ(saved(hba), state);
        }
        break;
      case 6: restart(index); break;
      case 7: {
        // A control FIS, or a header with any length of table
        const unsigned slot = noise.below(8);
        if (noise.below(2))
          memory.put<u8>(kTables + slot * kTableBytes + 1, 0);
        else
          memory.put<u16>(kList + 32 * slot + 2, static_cast<u16>(noise.value()));
        port_write(AhciPort::kCi, 1u << slot, index);
        break;
      }
      default: {
        const unsigned slot = noise.below(8);
        Request request{.command = kCommon[noise.below(std::size(kCommon))],
                        .lba = noise.below(30),
                        .count = noise.below(2) ? slot << 3 : noise.below(6),
                        .features = noise.below(8)};
        if (noise.below(4))
          request.packet = std::vector<u8>{static_cast<u8>(noise.below(2) ? 0x28 : noise.next()),
                                           0,
                                           0,
                                           0,
                                           0,
                                           1,
                                           0,
                                           0,
                                           static_cast<u8>(noise.below(8)),
                                           0,
                                           0,
                                           0};
        for (u32 n = noise.below(4); n != 0; --n)
          request.regions.emplace_back(noise.below(8) ? kData + noise.below(0x8000) : noise.value64(),
                                       noise.below(8) ? 2 + noise.below(4096) : noise.value());
        issue(slot, request, index);
        break;
      }
    }
  }
  hba.reset(ResetKind::PowerOn);
  start();
  EXPECT_EQ(run({.command = Command::IdentifyDevice, .regions = {{kData, 512}}}), kOk) << "still answers";
}
INSTANTIATE_TEST_SUITE_P(Seeds, AhciNoiseTest, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace reprise::devices
