#include "devices/bus.h"

#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

/// Records accesses; reads give offset + 1 in each byte.
class Recorder final : public PioHandler {
 public:
  struct Access {
    u16 offset;
    Width width;
    u32 value;
    bool operator==(const Access&) const = default;
  };
  u32 pio_read(u16 offset, Width width) override {
    reads.push_back({offset, width, 0});
    u32 value = 0;
    for (unsigned i = 0; i < width_bytes(width); ++i) value |= (offset + i + 1u) << (8 * i);
    return value;
  }
  void pio_write(u16 offset, Width width, u32 value) override { writes.push_back({offset, width, value}); }
  std::vector<Access> reads;
  std::vector<Access> writes;
};

/// Gives one element short of ten ahead.
class StreamingPorts final : public PioHandler {
 public:
  u32 pio_read(u16, Width) override { return 0; }
  void pio_write(u16, Width, u32) override {}
  std::size_t pio_read_ahead(u16 offset, Width width, std::span<u8> into) override {
    EXPECT_EQ(offset, 0);
    return std::min<std::size_t>(into.size(), 9 * width_bytes(width));
  }
};

TEST(PioBus, OnlyTheDataPortOfARangeThatStreamsGivesAhead) {
  PioBus bus;
  StreamingPorts disk, other;
  ASSERT_TRUE(bus.map({.first = 0x1f0, .count = 8, .widest = Width::Word, .streams = true}, disk).ok());
  ASSERT_TRUE(bus.map({.first = 0x60, .count = 1, .widest = Width::Word}, other).ok());
  std::array<u8, 64> bytes;
  EXPECT_EQ(bus.read_ahead(0x1f0, Width::Word, bytes), 18u);
  EXPECT_EQ(bus.read_ahead(0x1f0, Width::Dword, bytes), 0u) << "wider than the port";
  EXPECT_EQ(bus.read_ahead(0x1f1, Width::Byte, bytes), 0u);
  EXPECT_EQ(bus.read_ahead(0x60, Width::Byte, bytes), 0u);
  EXPECT_EQ(bus.read_ahead(0x80, Width::Byte, bytes), 0u);
  EXPECT_EQ(bus.write_ahead(0x1f0, Width::Word, bytes), 0u);
  EXPECT_TRUE(bus.streams(0x1f0));
  EXPECT_FALSE(bus.streams(0x1f2));
}

TEST(PioBus, UnmappedPortsReadOnesOfTheirWidthAndAreCounted) {
  PioBus bus;
  EXPECT_EQ(bus.read(0x80, Width::Byte), 0xffu);
  EXPECT_EQ(bus.read(0x80, Width::Word), 0xffffu);
  EXPECT_EQ(bus.read(0x80, Width::Dword), 0xffffffffu);
  EXPECT_EQ(bus.unmapped_reads(), 7u);
  bus.write(0x80, Width::Word, 1);
  EXPECT_EQ(bus.unmapped_writes(), 2u);
}

TEST(PioBus, RefusesEmptyOverlappingAndTooLongRanges) {
  PioBus bus;
  Recorder a, b;
  ASSERT_TRUE(bus.map({0x60, 4}, a).ok());
  EXPECT_EQ(bus.map({0x70, 0}, b).error(), PioMapError::EmptyRange);
  EXPECT_EQ(bus.map({0xfffe, 3}, b).error(), PioMapError::PastLastPort);
  EXPECT_EQ(bus.map({0x63, 1}, b).error(), PioMapError::Overlap);
  EXPECT_EQ(bus.map({0x5f, 2}, b).error(), PioMapError::Overlap);
  EXPECT_EQ(bus.read(0x5f, Width::Byte), 0xffu) << "a refused range leaves nothing behind";
  EXPECT_FALSE(describe(PioMapError::Overlap).empty());
  EXPECT_TRUE(bus.map({0x64, 1}, b).ok());
}

TEST(PioBus, SplitsWhatAHandlerDoesNotTake) {
  PioBus bus;
  Recorder bytes, words, dwords;
  ASSERT_TRUE(bus.map({0x100, 8, Width::Byte}, bytes).ok());
  ASSERT_TRUE(bus.map({0x200, 8, Width::Word}, words).ok());
  ASSERT_TRUE(bus.map({0x300, 8, Width::Dword}, dwords).ok());
  EXPECT_EQ(bus.read(0x102, Width::Dword), 0x06050403u);
  EXPECT_EQ(bytes.reads.size(), 4u);
  bus.write(0x202, Width::Dword, 0x44332211);
  EXPECT_EQ(words.writes,
            (std::vector<Recorder::Access>{{2, Width::Word, 0x2211}, {4, Width::Word, 0x4433}}));
  EXPECT_EQ(bus.read(0x304, Width::Dword), 0x08070605u);
  EXPECT_EQ(dwords.reads, (std::vector<Recorder::Access>{{4, Width::Dword, 0}}));
}

TEST(PioBus, AccessAcrossRangesIsSplitPerByte) {
  PioBus bus;
  Recorder low, high;
  ASSERT_TRUE(bus.map({0x10, 2, Width::Dword}, low).ok());
  ASSERT_TRUE(bus.map({0x12, 1, Width::Dword}, high).ok());
  EXPECT_EQ(bus.read(0x11, Width::Dword), 0xffff0102u);
  EXPECT_EQ(low.reads, (std::vector<Recorder::Access>{{1, Width::Byte, 0}}));
  EXPECT_EQ(high.reads, (std::vector<Recorder::Access>{{0, Width::Byte, 0}}));
}

TEST(PioBus, NoPieceGoesBeyondTheAccess) {
  PioBus bus;
  Recorder wide;
  ASSERT_TRUE(bus.map({0xe0, 4, Width::Dword}, wide).ok());
  EXPECT_EQ(bus.read(0xdf, Width::Word), 0x01ffu);
  EXPECT_EQ(bus.read(0xdd, Width::Dword), 0x01ffffffu);
  EXPECT_EQ(bus.read(0xde, Width::Dword), 0x0201ffffu);
  bus.write(0xdf, Width::Word, 0xaabb);
  bus.write(0xdf, Width::Dword, 0xddccbbaa);
  EXPECT_EQ(wide.writes, (std::vector<Recorder::Access>{
                             {0, Width::Byte, 0xaa}, {0, Width::Word, 0xccbb}, {2, Width::Byte, 0xdd}}));
}

TEST(PioBus, TheLastPortDoesNotWrap) {
  PioBus bus;
  Recorder first, last;
  ASSERT_TRUE(bus.map({0, 1}, first).ok());
  ASSERT_TRUE(bus.map({0xffff, 1}, last).ok());
  EXPECT_EQ(bus.read(0xffff, Width::Dword), 0xffffff01u);
  bus.write(0xfffe, Width::Dword, 0x44332211);
  EXPECT_EQ(last.writes, (std::vector<Recorder::Access>{{0, Width::Byte, 0x22}}));
  EXPECT_TRUE(first.reads.empty());
  EXPECT_TRUE(first.writes.empty());
}

TEST(PioBus, UnmapFreesEveryRangeOfAHandler) {
  PioBus bus;
  Recorder a, b;
  ASSERT_TRUE(bus.map({0x10, 2}, a).ok());
  ASSERT_TRUE(bus.map({0x20, 2}, a).ok());
  bus.unmap(a);
  EXPECT_EQ(bus.read(0x10, Width::Byte), 0xffu);
  EXPECT_TRUE(bus.map({0x10, 0x20}, b).ok());
  EXPECT_EQ(bus.read(0x21, Width::Byte), 0x12u);
}

/// A handler that moves itself: what a write of a base register does through the machine.
class Mover final : public PioHandler {
 public:
  explicit Mover(PioBus& bus) : bus_(bus) {}
  u32 pio_read(u16, Width) override { return 0x55; }
  void pio_write(u16, Width, u32 value) override {
    bus_.unmap(*this);
    ASSERT_TRUE(bus_.map({static_cast<u16>(value), 4}, *this).ok());
  }

 private:
  PioBus& bus_;
};

TEST(PioBus, MappingMayChangeDuringAnAccess) {
  PioBus bus;
  Mover mover(bus);
  ASSERT_TRUE(bus.map({0x40, 4}, mover).ok());
  bus.write(0x40, Width::Byte, 0x80);
  EXPECT_EQ(bus.read(0x40, Width::Byte), 0xffu);
  EXPECT_EQ(bus.read(0x80, Width::Byte), 0x55u);
}

}  // namespace
}  // namespace reprise::devices
