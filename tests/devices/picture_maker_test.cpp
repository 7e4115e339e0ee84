#include "devices/display/picture_maker.h"

#include "common/bits.h"
#include "devices/display/vga.h"
#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u32 kBlack = 0x000000, kBlue = 0x0000aa, kGray = 0xaaaaaa, kWhite = 0xffffff, kRed = 0xaa0000;
constexpr u64 kFont = 0;  // offset of the first character map in plane 2

class PictureTest : public ::testing::Test {
 protected:
  PictureTest() {
    vga.reset(ResetKind::PowerOn);
    vga.enter_text_mode();
    indexed(0x3d4, 0x11, 0x0e);  // timing registers take writes
  }
  void out(u16 port, u8 value) { out8(vga.ports(), static_cast<u16>(port - Vga::kFirstPort), value); }
  void indexed(u16 port, u8 index, u8 value) {
    out(port, index);
    out(static_cast<u16>(port + 1), value);
  }
  void attribute(u8 index, u8 value) {
    in8(vga.ports(), 0x3da - Vga::kFirstPort);
    out(0x3c0, index);
    out(0x3c0, value);
    out(0x3c0, 0x20);
  }
  void color(u8 index, u8 red, u8 green, u8 blue) {
    out(0x3c8, index);
    for (const u8 value : {red, green, blue}) out(0x3c9, value);
  }
  void put(u64 offset, u8 value) { ram.write(offset, {&value, 1}); }
  void plane(u32 number, u32 address, u8 value) { put(4 * address + number, value); }
  void glyph(u8 code, u32 row, u8 pattern, u64 font = kFont) {
    plane(2, static_cast<u32>(font) + code * 32u + row, pattern);
  }
  void character(u32 cell, u8 code, u8 look) {
    plane(0, 2 * cell, code);
    plane(1, 2 * cell, look);
  }
  void show(u16 width, u16 height, u16 bits, u16 enable = DispiRegisters::kEnabled) {
    vga.write_dispi(DispiRegisters::kXres, width);
    vga.write_dispi(DispiRegisters::kYres, height);
    vga.write_dispi(DispiRegisters::kBpp, bits);
    vga.write_dispi(DispiRegisters::kEnable, enable);
  }
  std::vector<Rect> update(const ChangedPages* changed = nullptr) {
    return maker.update(vga.registers(), frame, ram.bytes(), changed);
  }
  u32 at(u32 x, u32 y) const { return maker.picture().row(y)[x]; }
  std::vector<u32> dots(u32 x, u32 y, u32 count) const {
    const auto row = maker.picture().row(y).subspan(x, count);
    return {row.begin(), row.end()};
  }
  void expect_size(u32 width, u32 height) {
    EXPECT_EQ(maker.picture().width, width);
    EXPECT_EQ(maker.picture().height, height);
  }
  /// Registers of a BIOS's graphics mode: 640 dots, `lines` of them.
  void graphics(u32 lines, u8 row, u8 clocking, u8 shift, u8 crtc_mode) {
    indexed(0x3c4, 1, clocking);
    indexed(0x3c4, 4, 0x06);
    indexed(0x3ce, 5, shift);
    indexed(0x3ce, 6, 0x05);
    indexed(0x3d4, 0x07, lines == 480 ? 0x3e : 0x1f);
    indexed(0x3d4, 0x12, lines == 480 ? 0xdf : 0x8f);
    indexed(0x3d4, 0x09, row);
    indexed(0x3d4, 0x17, crtc_mode);
    indexed(0x3d4, 0x14, 0x00);
    attribute(0x10, 0x01);
    for (u32 address = 0; address < 0x10000; ++address)
      for (u32 number = 0; number < 4; ++number) plane(number, address, 0);
  }

  FakeClock clock;
  FakeVideoRam ram;
  Vga vga{clock, ram};
  PictureMaker maker;
  u64 frame = 0;
};

TEST_F(PictureTest, TextHasNineDotsAndTheFontOfPlane2) {
  glyph('A', 3, 0b1000'0001);
  glyph(0xc4, 3, 0b1111'1111);
  glyph(0xb0, 3, 0b1111'1111);
  character(0, 'A', 0x1f);
  character(81, 0xc4, 0x07);
  character(82, 0xb0, 0x07);
  EXPECT_EQ(update(), std::vector<Rect>({{0, 0, 720, 400}}));
  expect_size(720, 400);
  EXPECT_TRUE(maker.picture().fills_4_to_3);
  EXPECT_EQ(dots(0, 3, 10),
            (std::vector<u32>{kWhite, kBlue, kBlue, kBlue, kBlue, kBlue, kBlue, kWhite, kBlue, kBlack}));
  EXPECT_EQ(at(0, 4), kBlue);
  EXPECT_EQ(
      dots(9, 19, 18),
      (std::vector<u32>{kGray, kGray, kGray, kGray, kGray, kGray, kGray, kGray, kGray,  // a line goes on
                        kGray, kGray, kGray, kGray, kGray, kGray, kGray, kGray, kBlack}));
  attribute(0x10, 0x08);  // line graphics off
  update();
  EXPECT_EQ(at(17, 19), kBlack);
}

TEST_F(PictureTest, EightDotsAndFortyColumns) {
  glyph('A', 0, 0b1100'0000);
  character(0, 'A', 0x04);
  indexed(0x3c4, 1, 0x01);
  update();
  expect_size(640, 400);
  EXPECT_EQ(dots(0, 0, 3), (std::vector<u32>{kRed, kRed, kBlack}));
  indexed(0x3c4, 1, 0x08);
  indexed(0x3d4, 0x01, 39);
  update();
  expect_size(720, 400);
  EXPECT_EQ(dots(0, 0, 5), (std::vector<u32>{kRed, kRed, kRed, kRed, kBlack}));
  indexed(0x3c4, 1, 0x01);
  indexed(0x3d4, 0x01, 131);
  update();
  expect_size(1056, 400);
}

TEST_F(PictureTest, BothCharacterMaps) {
  glyph('A', 0, 0x80);
  glyph('A', 0, 0x40, 0x4000 + 0x2000);  // map 5
  character(0, 'A', 0x07);
  character(1, 'A', 0x0f);
  indexed(0x3c4, 3, 0x24);  // bit 3 of the attribute: map 5; else map 0
  indexed(0x3c4, 3, 0x04 | 0x20);
  update();
  EXPECT_EQ(dots(0, 0, 2), (std::vector<u32>{kGray, kBlack}));
  EXPECT_EQ(dots(9, 0, 2), (std::vector<u32>{kBlack, kWhite}));
}

TEST_F(PictureTest, CursorAndCharactersBlink) {
  indexed(0x3d4, 0x0f, 1);
  character(1, ' ', 0x04);
  character(2, 'A', 0x87);
  glyph('A', 0, 0xff);
  update();
  EXPECT_EQ(at(9, 13), kRed) << "cursor lines are 13 and 14";
  EXPECT_EQ(at(9, 12), kBlack);
  EXPECT_EQ(at(18, 0), kGray);
  frame = 8;
  const ChangedPages none(ram.bytes().size());
  EXPECT_EQ(update(&none), std::vector<Rect>({{9, 13, 9, 2}})) << "though no memory changed";
  EXPECT_EQ(at(9, 13), kBlack);
  EXPECT_EQ(at(18, 0), kGray);
  frame = 16;
  update(&none);
  EXPECT_EQ(at(18, 0), kBlack);
  attribute(0x10, 0x04);
  update(&none);
  EXPECT_EQ(at(18, 0), kGray) << "bit 7 is a brighter background";
  EXPECT_EQ(at(26, 0), 0x555555u);
  indexed(0x3d4, 0x0a, 0x20);
  update(&none);
  EXPECT_EQ(at(9, 13), kBlack);
}

TEST_F(PictureTest, SplitScreenPanningAndStart) {
  glyph('A', 0, 0x80);
  glyph('B', 0, 0x40);
  character(0, 'B', 0x07);
  character(160, 'A', 0x07);
  indexed(0x3d4, 0x0d, 160);
  indexed(0x3d4, 0x07, 0x0f);
  indexed(0x3d4, 0x09, 0x0f);
  indexed(0x3d4, 0x18, 99);
  update();
  EXPECT_EQ(dots(0, 0, 2), (std::vector<u32>{kGray, kBlack}));
  EXPECT_EQ(dots(0, 100, 2), (std::vector<u32>{kBlack, kGray})) << "address 0 below line 99";
  attribute(0x13, 0);  // one dot to the left
  update();
  EXPECT_EQ(at(0, 0), kBlack);
  EXPECT_EQ(dots(0, 100, 1), (std::vector<u32>{kGray}));
  attribute(0x10, 0x2c);
  update();
  EXPECT_EQ(dots(0, 100, 2), (std::vector<u32>{kBlack, kGray})) << "the lower part does not pan";
  attribute(0x13, 8);
  indexed(0x3d4, 0x08, 0x01);  // the picture begins with the second line of a row
  indexed(0x3d4, 0x0d, 80);
  update();
  EXPECT_EQ(at(0, 15), kGray);
}

TEST_F(PictureTest, Mode12h) {
  graphics(480, 0x40, 0x01, 0x00, 0xe3);
  plane(0, 80, 0x80);
  plane(2, 80, 0xc0);
  update();
  expect_size(640, 480);
  EXPECT_EQ(dots(0, 1, 3), (std::vector<u32>{0xaa00aa, kRed, kBlack}));
  attribute(0x13, 1);
  update();
  EXPECT_EQ(dots(0, 1, 2), (std::vector<u32>{kRed, kBlack}));
  attribute(0x13, 0);
  attribute(0x12, 0x03);
  update();
  EXPECT_EQ(at(0, 1), kBlue) << "plane 2 is off";
}

TEST_F(PictureTest, Mode13hAndModeX) {
  graphics(400, 0x41, 0x01, 0x40, 0xa3);
  indexed(0x3d4, 0x14, 0x40);
  indexed(0x3c4, 4, 0x0e);
  color(200, 63, 32, 0);
  vga.mmio_write(320 + 5, Width::Byte, 200);
  update();
  expect_size(640, 400);
  EXPECT_EQ(dots(9, 2, 4), (std::vector<u32>{0, 0xff8200, 0xff8200, 0}));
  EXPECT_EQ(dots(9, 3, 4), (std::vector<u32>{0, 0xff8200, 0xff8200, 0}));
  EXPECT_EQ(at(10, 1), 0u);
  // Unchained: bytes of all planes.
  indexed(0x3c4, 4, 0x06);
  indexed(0x3d4, 0x14, 0x00);
  indexed(0x3d4, 0x17, 0xe3);
  graphics(480, 0x41, 0x01, 0x40, 0xe3);
  plane(1, 80, 200);
  update();
  expect_size(640, 480);
  EXPECT_EQ(dots(1, 2, 4), (std::vector<u32>{0, 0xff8200, 0xff8200, 0}));
  out(0x3c6, 0x00);
  update();
  EXPECT_EQ(at(2, 2), 0u) << "the DAC's mask";
}

TEST_F(PictureTest, CgaModesInterleaveLines) {
  graphics(400, 0xc1, 0x09, 0x30, 0xa2);
  indexed(0x3d4, 0x01, 39);
  indexed(0x3d4, 0x13, 20);
  indexed(0x3ce, 6, 0x0f);
  indexed(0x3c4, 4, 0x02);
  attribute(0x12, 0x03);
  vga.mmio_write(0x18000, Width::Byte, 0b1101'0000);
  vga.mmio_write(0x1a001, Width::Byte, 0b0100'0000);
  update();
  expect_size(640, 400);
  EXPECT_EQ(dots(0, 0, 5), (std::vector<u32>{0x00aaaa, 0x00aaaa, kBlue, kBlue, kBlack}));
  EXPECT_EQ(dots(7, 2, 4), (std::vector<u32>{kBlack, kBlue, kBlue, kBlack}))
      << "odd lines lie 8 KiB further on";
}

TEST_F(PictureTest, PackedPixels) {
  struct Case {
    u16 bits;
    std::vector<u8> bytes;
    u32 pixel;
  };
  const Case cases[] = {{8, {200}, 0xff8200},
                        {15, {0x1f, 0x7c}, 0xff00ff},
                        {16, {0xe0, 0x07}, 0x00ff00},
                        {24, {0x12, 0x34, 0x56}, 0x563412},
                        {32, {0x12, 0x34, 0x56, 0x78}, 0x563412}};
  color(200, 63, 32, 0);
  for (const Case& one : cases) {
    vga.write_dispi(DispiRegisters::kEnable, 0);
    show(640, 480, one.bits);
    ram.write((640 * 2 + 639) * one.bytes.size(), one.bytes);
    update();
    expect_size(640, 480);
    EXPECT_FALSE(maker.picture().fills_4_to_3);
    EXPECT_EQ(at(639, 2), one.pixel) << one.bits;
    EXPECT_EQ(at(638, 2), 0u);
    vga.write_dispi(DispiRegisters::kVirtualWidth, 800);
    vga.write_dispi(DispiRegisters::kXOffset, 8);
    vga.write_dispi(DispiRegisters::kYOffset, 1);
    ram.write((800 * 3 + 9) * one.bytes.size(), one.bytes);
    update();
    EXPECT_EQ(at(1, 2), one.pixel) << one.bits;
  }
  out(0x3c0, 0x00);
  update();
  EXPECT_EQ(at(1, 2), 0u) << "the screen is off";
}

TEST_F(PictureTest, PackedPlanes) {
  show(1024, 768, 4);
  put(4 * 128 * 767 + 2, 0x01);
  update();
  expect_size(1024, 768);
  EXPECT_EQ(dots(6, 767, 3), (std::vector<u32>{kBlack, kRed, kBlack}));
}

TEST_F(PictureTest, OnlyChangedPagesAreLookedAt) {
  show(1024, 768, 32);
  ChangedPages changed(ram.bytes().size());
  EXPECT_EQ(update(&changed), std::vector<Rect>({{0, 0, 1024, 768}})) << "the first";
  EXPECT_TRUE(update(&changed).empty());
  const u32 white = 0xffffff;
  u8 bytes[4];
  write_unaligned<u32>(bytes, white);
  ram.write(4096 * 5 + 40, bytes);
  ram.write(4096 * 6 + 4, bytes);
  ram.write(4096 * 9, bytes);
  EXPECT_TRUE(update(&changed).empty());
  changed.add(5);
  changed.add(6);
  EXPECT_EQ(update(&changed), std::vector<Rect>({{1, 5, 10, 2}}));
  EXPECT_EQ(at(0, 9), kBlack);
  changed.add(9);
  EXPECT_EQ(update(&changed), std::vector<Rect>({{0, 9, 1, 1}}));
  vga.write_dispi(DispiRegisters::kYOffset, 0);
  EXPECT_TRUE(update(&changed).empty()) << "nothing is new";
}

TEST_F(PictureTest, RegistersAtPowerOnShowADarkScreen) {
  vga.reset(ResetKind::PowerOn);
  update();
  expect_size(640, 480);
  EXPECT_EQ(at(0, 0), kBlack);
}

TEST_F(PictureTest, HugePicturesStayBounded) {
  FakeVideoRam large(64 << 20);
  Vga other(clock, large);
  other.write_dispi(DispiRegisters::kXres, 16000);
  other.write_dispi(DispiRegisters::kYres, 12000);
  other.write_dispi(DispiRegisters::kBpp, 4);
  other.write_dispi(DispiRegisters::kEnable, 1);
  maker.update(other.registers(), 0, large.bytes(), nullptr);
  EXPECT_LE(maker.picture().pixels.size(), u64{1} << 25);
  EXPECT_GT(maker.picture().height, 1000u);
}

}  // namespace
}  // namespace reprise::devices
