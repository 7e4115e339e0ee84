#include "devices/floppy/floppy_controller.h"

#include <algorithm>

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u16 kDor = 2, kMsr = 4, kFifo = 5;
constexpr u64 k1440 = 1440 * 1024;

/// A floppy image in memory; each sector starts with its number.
class FakeDisk final : public BlockBackend {
 public:
  explicit FakeDisk(u64 bytes) : content(bytes) {
    for (u64 sector = 0; sector < bytes / 512; ++sector) {
      content[sector * 512] = static_cast<u8>(sector);
      content[sector * 512 + 1] = static_cast<u8>(sector >> 8);
    }
  }
  u64 bytes() const override { return content.size(); }
  bool read_only() const override { return protect; }
  BlockStatus read(u64 offset, std::span<u8> into) override {
    if (offset == bad_offset) return BlockStatus::ReadError;
    if (offset + into.size() > content.size()) return BlockStatus::OutOfRange;
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return BlockStatus::Ok;
  }
  BlockStatus write(u64 offset, std::span<const u8> from) override {
    if (offset == bad_offset) return BlockStatus::NoSpace;
    if (offset + from.size() > content.size()) return BlockStatus::OutOfRange;
    std::copy(from.begin(), from.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
    return BlockStatus::Ok;
  }
  BlockStatus flush() override {
    ++flushes;
    return BlockStatus::Ok;
  }
  BlockStatus discard(u64, u64) override { return BlockStatus::Ok; }

  std::vector<u8> content;
  bool protect = false;
  u64 bad_offset = ~u64{0};
  int flushes = 0;
};

/// A channel with a buffer and a count.
class FakeDma final : public IsaDmaController {
 public:
  void expect(std::size_t bytes) {
    memory.assign(bytes, 0);
    at = 0;
  }
  IsaDmaTransfer dma_to_memory(unsigned channel, std::span<const u8> from) override {
    EXPECT_EQ(channel, 2u);
    const std::size_t count = std::min(from.size(), memory.size() - at);
    std::copy_n(from.begin(), count, memory.begin() + static_cast<std::ptrdiff_t>(at));
    return done(count);
  }
  IsaDmaTransfer dma_from_memory(unsigned, std::span<u8> into) override {
    const std::size_t count = std::min(into.size(), memory.size() - at);
    std::fill(into.begin(), into.end(), u8{0});
    std::copy_n(memory.begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
    return done(count);
  }
  std::vector<u8> memory;
  std::size_t at = 0;

 private:
  IsaDmaTransfer done(std::size_t count) {
    at += count;
    return {static_cast<u32>(count), count != 0 && at == memory.size()};
  }
};

struct Board {
  explicit Board(FakeDisk* a, bool with_b = false)
      : fdc(clock, wires.line(6), IsaDmaChannel(dma, 2),
            {FloppyDrive(a), with_b ? FloppyDrive(nullptr) : FloppyDrive()}) {
    fdc.reset(ResetKind::PowerOn);
  }
  FakeClock clock;
  FakeWires wires;
  FakeDma dma;
  FloppyController fdc;
};

class FloppyTest : public ::testing::Test {
 protected:
  FloppyTest() : board(&disk, true) { start(); }
  /// As a driver does: out of reset, interrupts on, motor and drive 0, the senses of the reset, 500 kbit/s.
  void start() {
    out8(fdc.ports(), kDor, 0x1c);
    board.clock.step(FloppyController::kResetNs);
    for (int i = 0; i < 4; ++i) command({0x08});
    out8(fdc.port7(), 0, 0);
    command({0x03, 0xdf, 0x02});
  }
  void put(u8 byte) {
    ASSERT_EQ(in8(fdc.ports(), kMsr) & 0xc0, 0x80) << "the controller takes a byte";
    out8(fdc.ports(), kFifo, byte);
  }
  std::vector<u8> results() {
    std::vector<u8> bytes;
    while ((in8(fdc.ports(), kMsr) & 0xd0) == 0xd0 && bytes.size() < 16)
      bytes.push_back(in8(fdc.ports(), kFifo));
    return bytes;
  }
  /// The result bytes of a command that has none to wait for.
  std::vector<u8> command(std::initializer_list<u8> bytes) {
    for (const u8 byte : bytes) put(byte);
    return results();
  }
  /// The result of a command that takes time.
  std::vector<u8> run(std::initializer_list<u8> bytes) {
    for (const u8 byte : bytes) put(byte);
    board.clock.step(100'000'000);
    EXPECT_TRUE(irq());
    const std::vector<u8> result = results();
    EXPECT_FALSE(irq());
    return result;
  }
  void seek(u8 drive, u8 track) {
    command({0x0f, drive, track});
    board.clock.step(FloppyController::kSeekNs);
    EXPECT_EQ(command({0x08}), (std::vector<u8>{static_cast<u8>(0x20 | drive), track}));
  }
  bool irq() { return board.wires.level(6); }
  u16 sector_number(std::size_t at) {
    return static_cast<u16>(board.dma.memory[at] | board.dma.memory[at + 1] << 8);
  }

  FakeDisk disk{k1440};
  Board board;
  FloppyController& fdc = board.fdc;
};

using Bytes = std::vector<u8>;

TEST_F(FloppyTest, ResetEndsWithAnInterruptAndFourSenses) {
  out8(fdc.ports(), kDor, 0x18);
  EXPECT_EQ(in8(fdc.ports(), kMsr), 0x00);
  out8(fdc.ports(), kDor, 0x1c);
  EXPECT_FALSE(irq());
  board.clock.step(FloppyController::kResetNs);
  EXPECT_TRUE(irq());
  EXPECT_EQ(in8(fdc.ports(), kMsr), 0x80);
  for (u8 drive = 0; drive < 4; ++drive) {
    EXPECT_EQ(command({0x08}), (Bytes{static_cast<u8>(0xc0 | drive), 0}));
    EXPECT_FALSE(irq());
  }
  EXPECT_EQ(command({0x08}), Bytes{0x80}) << "nothing to sense: invalid command";
  out8(fdc.ports(), kMsr, 0x80);
  board.clock.step(FloppyController::kResetNs);
  EXPECT_TRUE(irq()) << "DSR resets too";
}

TEST_F(FloppyTest, InterruptsPassTheDmaGateOnly) {
  out8(fdc.ports(), kDor, 0x14);
  command({0x07, 0x00});
  board.clock.step(FloppyController::kSeekNs);
  EXPECT_FALSE(irq());
  out8(fdc.ports(), kDor, 0x1c);
  EXPECT_TRUE(irq());
}

TEST_F(FloppyTest, SmallCommands) {
  EXPECT_EQ(command({0x10}), Bytes{0x90}) << "VERSION";
  EXPECT_EQ(command({0x18}), Bytes{0x80}) << "PART ID is not of this chip";
  EXPECT_EQ(command({0x13, 0x00, 0x57, 0x12}), Bytes{});
  EXPECT_EQ(command({0x12, 0x88}), Bytes{});
  EXPECT_EQ(command({0x12, 0x03}), Bytes{});
  EXPECT_EQ(command({0x94}), Bytes{0x10}) << "LOCK";
  EXPECT_EQ(command({0x0e}), (Bytes{0, 0, 0, 0, 0xdf, 0x02, 0, 0x8b, 0x57, 0x12})) << "DUMPREG";
  out8(fdc.ports(), kMsr, 0x80);
  board.clock.step(FloppyController::kResetNs);
  for (int i = 0; i < 4; ++i) command({0x08});
  EXPECT_EQ(command({0x0e}), (Bytes{0, 0, 0, 0, 0xdf, 0x02, 0, 0x88, 0x07, 0x12}))
      << "locked registers survive a reset";
  EXPECT_EQ(command({0x14}), Bytes{0x00});
  EXPECT_EQ(command({0x04, 0x00}), Bytes{0x38}) << "SENSE DRIVE STATUS: at track 0";
  disk.protect = true;
  EXPECT_EQ(command({0x04, 0x04}), Bytes{0x7c}) << "write-protected, head 1";
}

TEST_F(FloppyTest, SeekTakesTimeAndSenseTells) {
  command({0x0f, 0x04, 0x22});
  EXPECT_EQ(in8(fdc.ports(), kMsr), 0x81) << "drive 0 is busy, the controller is not";
  board.clock.step(FloppyController::kSeekNs - 1);
  EXPECT_FALSE(irq());
  board.clock.step(1);
  EXPECT_TRUE(irq());
  EXPECT_EQ(in8(fdc.ports(), kMsr), 0x80);
  EXPECT_EQ(command({0x08}), (Bytes{0x24, 0x22}));
  EXPECT_FALSE(irq());
  command({0xcf, 0x00, 0x10});
  board.clock.step(FloppyController::kSeekNs);
  EXPECT_EQ(command({0x08}), (Bytes{0x20, 0x32})) << "RELATIVE SEEK up";
  command({0x8f, 0x00, 0x02});
  board.clock.step(FloppyController::kSeekNs);
  EXPECT_EQ(command({0x08}), (Bytes{0x20, 0x30}));
  command({0x07, 0x00});
  command({0x07, 0x01});
  command({0x07, 0x02});
  board.clock.step(FloppyController::kSeekNs);
  EXPECT_EQ(command({0x08}), (Bytes{0x20, 0x00}));
  EXPECT_TRUE(irq()) << "drive 1 ended as well";
  EXPECT_EQ(command({0x08}), (Bytes{0x21, 0x00}));
  EXPECT_EQ(command({0x08}), (Bytes{0x72, 0x00})) << "there is no drive 2";
  EXPECT_FALSE(irq());
}

TEST_F(FloppyTest, ReadsSectorsUpToTheTerminalCount) {
  seek(0, 3);
  board.dma.expect(3 * 512);
  EXPECT_EQ(run({0xe6, 0x04, 3, 1, 5, 2, 18, 0x1b, 0xff}), (Bytes{0x04, 0, 0, 3, 1, 8, 2}));
  for (u16 i = 0; i < 3; ++i) EXPECT_EQ(sector_number(i * 512u), (3 * 2 + 1) * 18 + 4 + i);
}

TEST_F(FloppyTest, MultiTrackGoesOnToTheOtherSide) {
  seek(0, 1);
  board.dma.expect(20 * 512);
  EXPECT_EQ(run({0xe6, 0x00, 1, 0, 17, 2, 18, 0x1b, 0xff}), (Bytes{0x00, 0, 0, 2, 0, 1, 2}))
      << "the cylinder ends after side 1";
  for (u16 i = 0; i < 20; ++i) EXPECT_EQ(sector_number(i * 512u), 2 * 18 + 16 + i);
}

TEST_F(FloppyTest, EachSectorTakesItsTime) {
  board.dma.expect(2 * 512);
  for (u8 byte : {0xe6, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff}) put(byte);
  EXPECT_EQ(in8(fdc.ports(), kMsr), 0x10);
  board.clock.step(block_request_ns(512) - 1);
  EXPECT_EQ(board.dma.at, 0u);
  board.clock.step(1);
  EXPECT_EQ(board.dma.at, 512u);
  EXPECT_FALSE(irq());
  board.clock.step(block_request_ns(512));
  EXPECT_TRUE(irq());
  EXPECT_EQ(in8(fdc.ports(), kMsr), 0xd0);
}

TEST_F(FloppyTest, WritesReachTheDiskBeforeTheCommandEnds) {
  seek(0, 79);
  board.dma.expect(700);
  std::fill(board.dma.memory.begin(), board.dma.memory.end(), u8{0x5a});
  EXPECT_EQ(run({0xc5, 0x04, 79, 1, 17, 2, 18, 0x1b, 0xff}), (Bytes{0x00, 0, 0, 80, 0, 1, 2}));
  EXPECT_EQ(disk.content[2878 * 512], 0x5a);
  EXPECT_EQ(disk.content[2879 * 512 + 187], 0x5a);
  EXPECT_EQ(disk.content[2879 * 512 + 188], 0x00) << "the rest of the sector is zeros";
  EXPECT_EQ(disk.flushes, 1);
}

TEST_F(FloppyTest, WhatIsNotThereIsNotFound) {
  const auto read = [&](u8 track, u8 head, u8 sector, u8 size) {
    board.dma.expect(512);
    const Bytes result =
        run({0x46, static_cast<u8>(head << 2), track, head, sector, size, sector, 0x1b, 0xff});
    return std::array<u8, 3>{result.at(0), result.at(1), result.at(2)};
  };
  EXPECT_EQ(read(0, 0, 19, 2), (std::array<u8, 3>{0x40, 0x04, 0x00}));
  EXPECT_EQ(read(0, 0, 0, 2), (std::array<u8, 3>{0x40, 0x04, 0x00}));
  EXPECT_EQ(read(0, 0, 1, 3), (std::array<u8, 3>{0x40, 0x04, 0x00})) << "sectors of 1024 bytes";
  EXPECT_EQ(read(5, 0, 1, 2), (std::array<u8, 3>{0x40, 0x04, 0x10})) << "the head is elsewhere";
  out8(fdc.port7(), 0, 2);
  EXPECT_EQ(read(0, 0, 1, 2), (std::array<u8, 3>{0x40, 0x01, 0x00})) << "wrong data rate";
  out8(fdc.port7(), 0, 0);
  EXPECT_EQ(read(0, 0, 1, 2), (std::array<u8, 3>{0x00, 0x00, 0x00}));
  board.dma.expect(512);
  EXPECT_EQ(run({0x46, 0x01, 0, 0, 1, 2, 1, 0x1b, 0xff}).at(1), 0x01) << "no disk";
  EXPECT_EQ(run({0x46, 0x03, 0, 0, 1, 2, 1, 0x1b, 0xff}).at(1), 0x01) << "no drive";
  board.dma.expect(0);
  EXPECT_EQ(run({0x46, 0x00, 0, 0, 1, 2, 1, 0x1b, 0xff}).at(1), 0x10) << "nobody takes the bytes";
}

TEST_F(FloppyTest, ImpliedSeek) {
  command({0x13, 0x00, 0x40, 0x00});
  board.dma.expect(512);
  EXPECT_EQ(run({0xe6, 0x00, 7, 0, 2, 2, 18, 0x1b, 0xff}), (Bytes{0x00, 0, 0, 7, 0, 3, 2}));
  EXPECT_EQ(sector_number(0), 7 * 36 + 1);
}

TEST(FloppyOf3840K, ItsLastSectorsAreReached) {
  FakeDisk disk{3840 * 1024};
  Board board(&disk);
  out8(board.fdc.ports(), kDor, 0x1c);
  board.clock.step(FloppyController::kResetNs);
  const auto run = [&](std::initializer_list<u8> bytes) {
    for (const u8 byte : bytes) out8(board.fdc.ports(), kFifo, byte);
    board.clock.step(1'000'000'000);
    std::vector<u8> result;
    while ((in8(board.fdc.ports(), kMsr) & 0xd0) == 0xd0 && result.size() < 16)
      result.push_back(in8(board.fdc.ports(), kFifo));
    return result;
  };
  for (unsigned i = 0; i < 4; ++i) run({0x08});
  out8(board.fdc.port7(), 0, 3);
  run({0x03, 0xdf, 0x02});
  run({0x0f, 0x04, 79});
  run({0x08});
  board.dma.expect(48 * 512);
  EXPECT_EQ(run({0x46, 0x04, 79, 1, 1, 2, 48, 0x1b, 0xff}).at(0), 0x04);
  const auto number = [&](std::size_t at) {
    return unsigned{board.dma.memory[at]} | unsigned{board.dma.memory[at + 1]} << 8;
  };
  EXPECT_EQ(number(0), (79 * 2 + 1) * 48u);
  EXPECT_EQ(number(47 * 512), 7679u);
}

TEST_F(FloppyTest, HostErrorsAreDiskErrors) {
  disk.bad_offset = 512;
  board.dma.expect(1024);
  EXPECT_EQ(run({0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff}), (Bytes{0x40, 0x20, 0x20, 0, 0, 2, 2}));
  board.dma.expect(512);
  EXPECT_EQ(run({0x45, 0x00, 0, 0, 2, 2, 18, 0x1b, 0xff}), (Bytes{0x40, 0x20, 0x20, 0, 0, 2, 2}));
  disk.protect = true;
  board.dma.expect(512);
  EXPECT_EQ(run({0x45, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff}), (Bytes{0x40, 0x02, 0x00, 0, 0, 1, 2}));
  EXPECT_EQ(run({0x4d, 0x00, 2, 18, 0x50, 0xf6}).at(1), 0x02);
}

TEST_F(FloppyTest, ReadIdTellsWhereTheHeadIs) {
  seek(0, 9);
  const Bytes id = run({0x4a, 0x04});
  ASSERT_EQ(id.size(), 7u);
  EXPECT_EQ(Bytes(id.begin(), id.begin() + 5), (Bytes{0x04, 0, 0, 9, 1}));
  EXPECT_GE(id[5], 1);
  EXPECT_LE(id[5], 18);
  EXPECT_EQ(id[6], 2);
  EXPECT_EQ(run({0x0a, 0x00}).at(1), 0x01) << "FM finds nothing on an MFM disk";
}

TEST_F(FloppyTest, VerifyReadTrackAndDeletedData) {
  EXPECT_EQ(run({0x56, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff}), (Bytes{0x00, 0, 0, 1, 0, 1, 2})) << "VERIFY";
  EXPECT_EQ(run({0x56, 0x80, 0, 0, 1, 2, 18, 0x1b, 4}), (Bytes{0x00, 0, 0, 0, 0, 5, 2})) << "of four sectors";
  EXPECT_EQ(run({0x56, 0x00, 0, 0, 1, 2, 19, 0x1b, 0xff}).at(1), 0x04);
  board.dma.expect(2 * 512);
  EXPECT_EQ(run({0x42, 0x00, 0, 0, 9, 2, 18, 0x1b, 0xff}).at(0), 0x00);
  EXPECT_EQ(sector_number(512), 1) << "READ TRACK begins with the first sector";
  board.dma.expect(2 * 512);
  EXPECT_EQ(run({0x4c, 0x00, 0, 0, 5, 2, 18, 0x1b, 0xff}), (Bytes{0x00, 0, 0x40, 0, 0, 6, 2}))
      << "READ DELETED DATA ends after a sector of the other kind";
  EXPECT_EQ(run({0x6c, 0x00, 0, 0, 5, 2, 18, 0x1b, 0xff}).at(1), 0x80) << "or skips them all";
}

TEST_F(FloppyTest, FormatFillsTheTrack) {
  seek(0, 2);
  board.dma.expect(18 * 4);
  for (u8 i = 0; i < 18; ++i) {
    const u8 id[] = {2, 1, static_cast<u8>(i + 1), 2};
    std::copy_n(id, 4, board.dma.memory.begin() + 4 * i);
  }
  EXPECT_EQ(run({0x4d, 0x04, 2, 18, 0x50, 0xf6}).at(0), 0x04);
  for (u32 sector = 5 * 18; sector < 6 * 18; ++sector) EXPECT_EQ(disk.content[sector * 512], 0xf6);
  EXPECT_EQ(disk.content[6 * 18 * 512], 6 * 18) << "the next track is as it was";
}

TEST_F(FloppyTest, WithoutDmaTheProcessorMovesTheBytes) {
  command({0x03, 0xdf, 0x03});
  for (u8 byte : {0x46, 0x00, 0, 0, 3, 2, 4, 0x1b, 0xff}) put(byte);
  Bytes bytes;
  for (int sector = 0; sector < 2; ++sector) {
    EXPECT_EQ(in8(fdc.ports(), kMsr), 0x30);
    board.clock.step(block_request_ns(512));
    EXPECT_TRUE(irq());
    while (in8(fdc.ports(), kMsr) == 0xf0 && bytes.size() < 2000) bytes.push_back(in8(fdc.ports(), kFifo));
  }
  ASSERT_EQ(bytes.size(), 1024u);
  EXPECT_EQ(bytes[0], 2);
  EXPECT_EQ(bytes[512], 3);
  EXPECT_EQ(results(), (Bytes{0x40, 0x80, 0, 1, 0, 1, 2})) << "there is no terminal count";
  for (u8 byte : {0x45, 0x00, 0, 0, 3, 2, 3, 0x1b, 0xff}) put(byte);
  board.clock.step(block_request_ns(512));
  for (int i = 0; i < 512; ++i) {
    ASSERT_EQ(in8(fdc.ports(), kMsr), 0xb0);
    out8(fdc.ports(), kFifo, 0x77);
  }
  board.clock.step(block_request_ns(512));
  EXPECT_EQ(results().at(1), 0x80);
  EXPECT_EQ(disk.content[2 * 512 + 511], 0x77);
}

TEST_F(FloppyTest, ChangeLineFallsWithAStep) {
  EXPECT_EQ(in8(fdc.port7(), 0), 0x80);
  command({0x07, 0x00});
  board.clock.step(FloppyController::kSeekNs);
  command({0x08});
  EXPECT_EQ(in8(fdc.port7(), 0), 0x80) << "the head was at track 0: no step";
  seek(0, 1);
  EXPECT_EQ(in8(fdc.port7(), 0), 0x00);
  FakeDisk other(720 * 1024);
  fdc.insert(0, &other);
  EXPECT_EQ(in8(fdc.port7(), 0), 0x80);
  EXPECT_EQ(fdc.drive(0).geometry().sectors, 9);
  fdc.insert(0, nullptr);
  seek(0, 0);
  EXPECT_EQ(in8(fdc.port7(), 0), 0x80) << "no disk";
  out8(fdc.ports(), kDor, 0x0c);
  EXPECT_EQ(in8(fdc.port7(), 0), 0x00) << "no motor";
}

/// Tracks, heads, sectors, drive type.
using Shape = std::array<int, 4>;
Shape shape_of(std::optional<FloppyGeometry> g) {
  return g ? Shape{g->tracks, g->heads, g->sectors, g->bios_type()} : Shape{};
}

TEST(FloppyGeometryTest, FromTheImageSize) {
  const auto shape = [](u64 kib) { return shape_of(floppy_geometry(kib * 1024, {})); };
  EXPECT_EQ(shape(160), (Shape{40, 1, 8, 1}));
  EXPECT_EQ(shape(180), (Shape{40, 1, 9, 1}));
  EXPECT_EQ(shape(320), (Shape{40, 2, 8, 1}));
  EXPECT_EQ(shape(360), (Shape{40, 2, 9, 1}));
  EXPECT_EQ(shape(410), (Shape{41, 2, 10, 1}));
  EXPECT_EQ(shape(420), (Shape{42, 2, 10, 1}));
  EXPECT_EQ(shape(640), (Shape{80, 2, 8, 3}));
  EXPECT_EQ(shape(720), (Shape{80, 2, 9, 3}));
  EXPECT_EQ(shape(800), (Shape{80, 2, 10, 4}));
  EXPECT_EQ(shape(820), (Shape{82, 2, 10, 4}));
  EXPECT_EQ(shape(830), (Shape{83, 2, 10, 4}));
  EXPECT_EQ(shape(880), (Shape{80, 2, 11, 4}));
  EXPECT_EQ(shape(1040), (Shape{80, 2, 13, 4}));
  EXPECT_EQ(shape(1120), (Shape{80, 2, 14, 4}));
  EXPECT_EQ(shape(1200), (Shape{80, 2, 15, 2}));
  EXPECT_EQ(shape(1440), (Shape{80, 2, 18, 4}));
  EXPECT_EQ(shape(1476), (Shape{82, 2, 18, 4}));
  EXPECT_EQ(shape(1494), (Shape{83, 2, 18, 4}));
  EXPECT_EQ(shape(1520), (Shape{80, 2, 19, 5}));
  EXPECT_EQ(shape(1600), (Shape{80, 2, 20, 5}));
  EXPECT_EQ(shape(1680), (Shape{80, 2, 21, 5}));
  EXPECT_EQ(shape(1722), (Shape{82, 2, 21, 5}));
  EXPECT_EQ(shape(1743), (Shape{83, 2, 21, 5}));
  EXPECT_EQ(shape(1760), (Shape{80, 2, 22, 5}));
  EXPECT_EQ(shape(1840), (Shape{80, 2, 23, 5}));
  EXPECT_EQ(shape(1920), (Shape{80, 2, 24, 5}));
  EXPECT_EQ(shape(2880), (Shape{80, 2, 36, 5}));
  EXPECT_EQ(shape(3840), (Shape{80, 2, 48, 5}));
  EXPECT_EQ(shape(100), (Shape{80, 2, 18, 4})) << "a short image";
  EXPECT_EQ(shape(1441), Shape{}) << "nothing says what it is";
  EXPECT_EQ(shape(3841), Shape{});
  EXPECT_EQ(shape(0), Shape{});
}

/// A boot sector whose parameter block says so.
Bytes boot_sector(unsigned sectors, unsigned heads, unsigned total, unsigned sector_bytes = 512) {
  Bytes bytes(512);
  const auto put = [&](std::size_t offset, unsigned value) {
    bytes[offset] = static_cast<u8>(value);
    bytes[offset + 1] = static_cast<u8>(value >> 8);
  };
  put(11, sector_bytes);
  put(19, total);
  put(24, sectors);
  put(26, heads);
  return bytes;
}

TEST(FloppyGeometryTest, FromTheParameterBlock) {
  const auto shape = [](u64 kib, const Bytes& sector) {
    return shape_of(floppy_geometry(kib * 1024, sector));
  };
  EXPECT_EQ(shape(1743, boot_sector(21, 2, 3486)), (Shape{83, 2, 21, 5}));
  EXPECT_EQ(shape(1520, boot_sector(20, 2, 3040)), (Shape{76, 2, 20, 5})) << "it knows better than the size";
  EXPECT_EQ(shape(360, boot_sector(9, 1, 720)), (Shape{80, 1, 9, 3})) << "one side of a 3.5-inch disk";
  EXPECT_EQ(shape(64, boot_sector(36, 2, 5760)), (Shape{80, 2, 36, 5})) << "a short image";
  EXPECT_EQ(shape(1441, boot_sector(18, 2, 2880)), (Shape{81, 2, 18, 4})) << "bytes behind the file system";
  // What cannot be a floppy's: a hard disk's geometry, other sectors, too many tracks, nonsense.
  EXPECT_EQ(shape(1440, boot_sector(63, 255, 2880)), (Shape{80, 2, 18, 4}));
  EXPECT_EQ(shape(1440, boot_sector(9, 2, 2880, 1024)), (Shape{80, 2, 18, 4}));
  EXPECT_EQ(shape(2880, boot_sector(18, 2, 2880)), (Shape{80, 2, 36, 5}));
  EXPECT_EQ(shape(1440, boot_sector(18, 0, 2880)), (Shape{80, 2, 18, 4}));
  EXPECT_EQ(shape(1440, Bytes(512, 0xff)), (Shape{80, 2, 18, 4}));
  EXPECT_EQ(shape(1440, Bytes(100)), (Shape{80, 2, 18, 4}));
}

TEST(FloppyGeometryTest, ShortImagesReadAsZerosBehindTheirEnd) {
  FakeDisk disk(1024);
  FloppyDrive drive(&disk);
  std::array<u8, 512> sector{};
  EXPECT_EQ(drive.read(0, 2, sector), BlockStatus::Ok);
  EXPECT_EQ(sector[0], 1);
  EXPECT_EQ(drive.read(0, 3, sector), BlockStatus::Ok);
  EXPECT_EQ(sector[0], 0);
  EXPECT_EQ(drive.write(0, 3, sector), BlockStatus::OutOfRange);
}

TEST_F(FloppyTest, RoundTripInTheMiddleOfARead) {
  seek(0, 4);
  board.dma.expect(4 * 512);
  for (u8 byte : {0xe6, 0x00, 4, 0, 1, 2, 18, 0x1b, 0xff}) put(byte);
  board.clock.step(block_request_ns(512));
  command({});
  const auto bytes = saved(fdc);
  Board other(&disk, true);
  other.clock.jump(board.clock.now_ns());
  other.dma = board.dma;
  ASSERT_TRUE(load(other.fdc, bytes));
  EXPECT_EQ(saved(other.fdc), bytes);
  board.clock.step(1'000'000);
  other.clock.step(1'000'000);
  EXPECT_EQ(other.dma.memory, board.dma.memory);
  EXPECT_EQ(other.dma.at, 4 * 512u);
  EXPECT_TRUE(other.wires.level(6));
  EXPECT_EQ(saved(other.fdc), saved(fdc));
}

TEST(FloppyNoise, AnythingIsTaken) {
  Noise noise(82077);
  for (int round = 0; round < 20; ++round) {
    FakeDisk disk(round % 2 ? k1440 : 360 * 1024);
    disk.protect = round % 5 == 4;
    Board board(&disk, true);
    FloppyController& fdc = board.fdc;
    board.dma.expect(noise.below(20000));
    for (int i = 0; i < 20000; ++i) {
      if (noise.below(4) == 0) board.clock.step(noise.below(noise.below(4) ? 20'000 : 2'000'000));
      if (noise.below(3) == 0)
        noise.ports(fdc.ports(), 6, Width::Byte);
      else
        out8(fdc.ports(), kFifo, noise.below(3) ? noise.below(4) : noise.value());
      if (noise.below(50) == 0) out8(fdc.ports(), kDor, 0x1c | noise.below(4));
      if (noise.below(50) == 0) noise.ports(fdc.port7(), 1, Width::Byte);
      if (noise.below(20) == 0) in8(fdc.ports(), kFifo);
      // Something that is likely to run.
      if (noise.below(100) == 0) {
        static constexpr u8 kDisk[] = {0xe6, 0xc5, 0x4c, 0x6c, 0x42, 0x56, 0x4d, 0x4a, 0x49};
        out8(fdc.ports(), kFifo, kDisk[noise.below(9)]);
        out8(fdc.port7(), 0, round % 2 ? 0 : 2);
        for (u32 byte : {noise.below(8), 0u, 0u, 1 + noise.below(9), 2u, 9u, 0x1bu, 0xffu})
          out8(fdc.ports(), kFifo, byte);
      }
      if (noise.below(200) == 0) board.dma.expect(noise.below(20000));
      if (noise.below(2000) == 0) fdc.insert(0, noise.below(2) ? &disk : nullptr);
    }
    fdc.insert(0, &disk);
    Board other(&disk, true);
    ASSERT_TRUE(load(other.fdc, saved(fdc)));
    EXPECT_EQ(saved(other.fdc), saved(fdc));
    EXPECT_FALSE(fdc.debug_dump().empty());
    // Whatever happened, a reset brings it back.
    out8(fdc.ports(), kDor, 0x00);
    out8(fdc.ports(), kDor, 0x1c);
    board.clock.step(FloppyController::kResetNs);
    EXPECT_EQ(in8(fdc.ports(), kMsr), 0x80);
    EXPECT_TRUE(board.wires.level(6));
  }
}

TEST(FloppyNoise, DamagedStateIsRefusedOrHarmless) {
  Noise noise(2077);
  FakeDisk disk(k1440);
  Board board(&disk);
  const auto good = saved(board.fdc);
  for (int i = 0; i < 2000; ++i) {
    auto bytes = good;
    for (u32 n = 1 + noise.below(8); n > 0; --n)
      bytes[8 + noise.below(static_cast<u32>(bytes.size()) - 8)] = static_cast<u8>(noise.value());
    Board other(&disk);
    (void)load(other.fdc, bytes);
    for (int access = 0; access < 50; ++access) noise.ports(other.fdc.ports(), 6, Width::Byte);
    other.clock.step(1'000'000);
  }
}

}  // namespace
}  // namespace reprise::devices
