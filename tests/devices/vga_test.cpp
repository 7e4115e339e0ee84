#include "devices/display/vga.h"

#include "common/bits.h"
#include "devices/display/picture_maker.h"
#include "devices/display/text_screen.h"
#include "tests/devices/test_board.h"

namespace reprise::devices {
namespace {

using namespace testing;

constexpr u64 kB0000 = 0x10000;
constexpr u64 kB8000 = 0x18000;

class VgaTest : public ::testing::Test {
 protected:
  VgaTest() { vga.reset(ResetKind::PowerOn); }
  u8 in(u16 port) { return in8(vga.ports(), static_cast<u16>(port - Vga::kFirstPort)); }
  void out(u16 port, u8 value) { out8(vga.ports(), static_cast<u16>(port - Vga::kFirstPort), value); }
  void indexed(u16 port, u8 index, u8 value) {
    out(port, index);
    out(static_cast<u16>(port + 1), value);
  }
  u8 indexed(u16 port, u8 index) {
    out(port, index);
    return in(static_cast<u16>(port + 1));
  }
  u8 peek(u64 offset) { return static_cast<u8>(vga.mmio_read(offset, Width::Byte)); }
  void poke(u64 offset, u8 value) { vga.mmio_write(offset, Width::Byte, value); }
  u32 planes(u32 address) const {
    u32 value = 0;
    for (u32 plane = 0; plane < 4; ++plane)
      value |= u32{vga.memory().plane_byte(plane, address)} << (8 * plane);
    return value;
  }
  /// Four planes at A0000h, plain writes, 64 KiB: as in BIOS mode 12h.
  void planar() {
    vga.enter_text_mode();
    indexed(0x3c4, 2, 0x0f);
    indexed(0x3c4, 4, 0x06);
    indexed(0x3ce, 5, 0x00);
    indexed(0x3ce, 6, 0x05);
    for (u64 offset = 0; offset < 0x200; ++offset) poke(offset, 0);
  }
  void print(u32 row, u32 column, std::string_view text) {
    u64 at = kB8000 + 2 * (80 * row + column);
    for (const char c : text) {
      vga.mmio_write(at, Width::Word, 0x0700u | static_cast<u8>(c));
      at += 2;
    }
  }

  /// DISPI shows `width` x `height` pixels.
  void show(u16 width, u16 height, u16 bits, u16 enable = DispiRegisters::kEnabled) {
    vga.write_dispi(DispiRegisters::kXres, width);
    vga.write_dispi(DispiRegisters::kYres, height);
    vga.write_dispi(DispiRegisters::kBpp, bits);
    vga.write_dispi(DispiRegisters::kEnable, enable);
  }

  FakeClock clock;
  FakeVideoRam ram;
  Vga vga{clock, ram};
};

TEST_F(VgaTest, CrtcAnswersAtTheAddressTheMiscellaneousRegisterSelects) {
  indexed(0x3b4, 0x0e, 0x12);
  EXPECT_EQ(indexed(0x3b4, 0x0e), 0x12);
  EXPECT_EQ(in(0x3d5), 0xff);
  out(0x3c2, 0x01);
  EXPECT_EQ(in(0x3cc), 0x01);
  EXPECT_EQ(indexed(0x3d4, 0x0e), 0x12);
  EXPECT_EQ(in(0x3b5), 0xff);
  out(0x3b4, 0x0f);
  EXPECT_EQ(in(0x3d4), 0x0e) << "the other address takes no writes";
}

TEST_F(VgaTest, RegistersKeepTheirBitsOnly) {
  const auto expect = [&](u16 port, u8 index, u8 bits) {
    indexed(port, index, 0xff);
    EXPECT_EQ(indexed(port, index), bits) << std::hex << port << " " << int{index};
  };
  expect(0x3c4, 0, 0x03);
  expect(0x3c4, 4, 0x0e);
  expect(0x3c4, 5, 0x00);
  expect(0x3ce, 5, 0x7b);
  expect(0x3ce, 8, 0xff);
  expect(0x3ce, 9, 0x00);
}

TEST_F(VgaTest, Cr11ProtectsTheTimingRegisters) {
  out(0x3c2, 0x01);
  indexed(0x3d4, 0x00, 0x5f);
  indexed(0x3d4, 0x07, 0x0f);
  indexed(0x3d4, 0x11, 0x8e);
  indexed(0x3d4, 0x00, 0x11);
  indexed(0x3d4, 0x07, 0xf0);
  indexed(0x3d4, 0x08, 0x22);
  EXPECT_EQ(indexed(0x3d4, 0x00), 0x5f);
  EXPECT_EQ(indexed(0x3d4, 0x07), 0x1f) << "line compare bit 8 stays writable";
  EXPECT_EQ(indexed(0x3d4, 0x08), 0x22);
  indexed(0x3d4, 0x11, 0x0e);
  indexed(0x3d4, 0x00, 0x11);
  EXPECT_EQ(indexed(0x3d4, 0x00), 0x11);
}

TEST_F(VgaTest, AttributeFlipFlop) {
  out(0x3c2, 0x01);
  in(0x3da);
  out(0x3c0, 0x10);
  out(0x3c0, 0x0c);
  out(0x3c0, 0x31);
  EXPECT_EQ(in(0x3c0), 0x31);
  in(0x3da);
  out(0x3c0, 0x30);
  EXPECT_EQ(in(0x3c1), 0x0c);
  in(0x3ba);
  out(0x3c0, 0x08);
  EXPECT_EQ(in(0x3c1), 0x08) << "input status 1 at the other address does not reset the flip-flop";
}

TEST_F(VgaTest, DacReadsAndWritesTriplets) {
  out(0x3c8, 0xff);
  EXPECT_EQ(in(0x3c7), 0);
  for (u8 value : {0xff, 0x11, 0x22, 0x33}) out(0x3c9, value);
  EXPECT_EQ(in(0x3c8), 0x00) << "the index goes on by itself, and around";
  out(0x3c7, 0xff);
  EXPECT_EQ(in(0x3c7), 3);
  EXPECT_EQ(in(0x3c9), 0x3f) << "six bits";
  EXPECT_EQ(in(0x3c9), 0x11);
  EXPECT_EQ(in(0x3c9), 0x22);
  EXPECT_EQ(in(0x3c9), 0x33) << "color 0";
}

TEST_F(VgaTest, WindowFollowsTheMemoryMapSelect) {
  EXPECT_EQ(peek(0), 0xff) << "off after reset";
  planar();
  poke(0, 0x5a);
  EXPECT_EQ(peek(0), 0x5a);
  EXPECT_EQ(peek(kB0000), 0xff);
  indexed(0x3ce, 6, 0x09);
  EXPECT_EQ(peek(0), 0xff);
  EXPECT_EQ(peek(kB0000), 0x5a);
  EXPECT_EQ(peek(kB8000), 0xff);
  indexed(0x3ce, 6, 0x0d);
  EXPECT_EQ(peek(kB8000), 0x5a);
  EXPECT_EQ(peek(kB0000), 0xff);
  indexed(0x3ce, 6, 0x01);
  EXPECT_EQ(peek(0), 0x5a);
  EXPECT_EQ(peek(kB0000), 0x5a) << "128 KiB show the planes twice";
  out(0x3c2, 0x65);
  EXPECT_EQ(peek(0), 0xff) << "memory off";
}

TEST_F(VgaTest, WriteMode0RotatesSetsAndMasks) {
  planar();
  poke(0x100, 0x0f);
  EXPECT_EQ(planes(0x100), 0x0f0f0f0fu);
  indexed(0x3c4, 2, 0x05);
  poke(0x101, 0xaa);
  EXPECT_EQ(planes(0x101), 0x00aa00aau) << "map mask";
  indexed(0x3c4, 2, 0x0f);
  indexed(0x3ce, 3, 0x01);
  poke(0x102, 0x03);
  EXPECT_EQ(planes(0x102), 0x81818181u) << "rotated right by one";
  indexed(0x3ce, 3, 0x00);
  indexed(0x3ce, 0, 0x02);
  indexed(0x3ce, 1, 0x03);
  poke(0x103, 0x55);
  EXPECT_EQ(planes(0x103), 0x5555ff00u) << "plane 0 is reset, plane 1 is set, 2 and 3 take the byte";
  indexed(0x3ce, 1, 0x00);
  indexed(0x3ce, 8, 0xf0);
  peek(0x103);
  poke(0x104, 0x00);
  EXPECT_EQ(planes(0x104), 0x05050f00u) << "the latches keep the masked bits";
}

TEST_F(VgaTest, WriteMode0Functions) {
  planar();
  poke(0x10, 0x3c);
  const u8 expected[] = {0x0f, 0x0c, 0x3f, 0x33};
  for (u8 function = 0; function < 4; ++function) {
    indexed(0x3ce, 3, static_cast<u8>(function << 3));
    peek(0x10);
    poke(0x20u + function, 0x0f);
    EXPECT_EQ(planes(0x20u + function), expected[function] * 0x01010101u) << int{function};
  }
}

TEST_F(VgaTest, WriteMode1CopiesTheLatches) {
  planar();
  indexed(0x3ce, 1, 0x0f);
  indexed(0x3ce, 0, 0x0a);
  poke(0x40, 0);
  EXPECT_EQ(planes(0x40), 0xff00ff00u);
  indexed(0x3ce, 5, 0x01);
  peek(0x40);
  poke(0x41, 0x12);
  EXPECT_EQ(planes(0x41), 0xff00ff00u);
}

TEST_F(VgaTest, WriteModes2And3) {
  planar();
  indexed(0x3ce, 5, 0x02);
  indexed(0x3ce, 8, 0x18);
  peek(0x50);
  poke(0x50, 0x06);
  EXPECT_EQ(planes(0x50), 0x00181800u) << "the low bits are a color";
  indexed(0x3ce, 5, 0x03);
  indexed(0x3ce, 8, 0x3f);
  indexed(0x3ce, 0, 0x09);
  peek(0x51);
  poke(0x51, 0xf8);
  EXPECT_EQ(planes(0x51), 0x38000038u) << "the byte is a further bit mask, set/reset is the color";
}

TEST_F(VgaTest, ReadModes) {
  planar();
  indexed(0x3ce, 5, 0x02);
  indexed(0x3ce, 8, 0xc0);
  poke(0x60, 0x05);
  indexed(0x3ce, 8, 0x30);
  peek(0x60);
  poke(0x60, 0x07);
  indexed(0x3ce, 4, 0x01);
  EXPECT_EQ(peek(0x60), 0x30) << "plane 1";
  indexed(0x3ce, 4, 0x02);
  EXPECT_EQ(peek(0x60), 0xf0) << "plane 2";
  indexed(0x3ce, 5, 0x08);
  indexed(0x3ce, 2, 0x07);
  indexed(0x3ce, 7, 0x0f);
  EXPECT_EQ(peek(0x60), 0x30) << "where the color is 7";
  indexed(0x3ce, 7, 0x0d);
  EXPECT_EQ(peek(0x60), 0xf0) << "plane 1 does not matter: 5 and 7";
  indexed(0x3ce, 7, 0x00);
  EXPECT_EQ(peek(0x60), 0xff);
}

TEST_F(VgaTest, Chain4SpreadsBytesOverThePlanes) {
  planar();
  indexed(0x3c4, 4, 0x0e);
  vga.mmio_write(0x1230, Width::Dword, 0x44332211);
  EXPECT_EQ(planes(0x1230), 0x44332211u);
  EXPECT_EQ(vga.mmio_read(0x1230, Width::Dword), 0x44332211u);
  indexed(0x3c4, 2, 0x0e);
  vga.mmio_write(0x1230, Width::Dword, 0);
  EXPECT_EQ(planes(0x1230), 0x00000011u) << "the map mask holds here too";
}

TEST_F(VgaTest, OddEvenPutsCharactersAndAttributesOnTwoPlanes) {
  vga.enter_text_mode();
  vga.mmio_write(kB8000 + 4, Width::Qword, 0x0741'1f42'0443'0244);
  EXPECT_EQ(vga.memory().plane_byte(0, 4), 0x44);
  EXPECT_EQ(vga.memory().plane_byte(1, 4), 0x02);
  EXPECT_EQ(vga.memory().plane_byte(0, 10), 0x41);
  EXPECT_EQ(vga.memory().plane_byte(1, 10), 0x07);
  EXPECT_EQ(vga.mmio_read(kB8000 + 4, Width::Qword), 0x0741'1f42'0443'0244u);
  EXPECT_EQ(vga.memory().plane_byte(2, 4), 0) << "the font is not touched";
}

TEST_F(VgaTest, FontIsLoadedIntoPlane2) {
  vga.enter_text_mode();
  print(0, 0, "text");
  indexed(0x3c4, 2, 0x04);
  indexed(0x3c4, 4, 0x06);
  indexed(0x3ce, 4, 0x02);
  indexed(0x3ce, 5, 0x00);
  indexed(0x3ce, 6, 0x00);
  poke(0x41 * 32 + 1, 0x7e);
  EXPECT_EQ(peek(0x41 * 32 + 1), 0x7e);
  indexed(0x3c4, 2, 0x03);
  indexed(0x3c4, 4, 0x02);
  indexed(0x3ce, 4, 0x00);
  indexed(0x3ce, 5, 0x10);
  indexed(0x3ce, 6, 0x0e);
  EXPECT_EQ(peek(kB8000), 't');
  EXPECT_EQ(vga.memory().plane_byte(2, 0x41 * 32 + 1), 0x7e);
}

TEST_F(VgaTest, BeamFollowsVirtualTime) {
  vga.enter_text_mode();
  // 100 characters of 9 dots at 28.322 MHz a line, 449 lines a frame: 70.09 Hz.
  constexpr u64 kFrameNs = 14'268'060;
  constexpr u64 kLineNs = 31'777;
  EXPECT_EQ(in(0x3da) & 0x09, 0x00);
  clock.run_until(kLineNs * 85 / 100);
  EXPECT_EQ(in(0x3da) & 0x09, 0x01) << "right of the picture";
  clock.run_until(kLineNs * 405);
  EXPECT_EQ(in(0x3da) & 0x09, 0x01) << "below the picture";
  clock.run_until(kLineNs * 413 - kLineNs / 2);
  EXPECT_EQ(in(0x3da) & 0x09, 0x09);
  clock.run_until(kLineNs * 415);
  EXPECT_EQ(in(0x3da) & 0x09, 0x01);
  unsigned retraces = 0;
  bool before = false;
  for (u64 ns = kFrameNs; ns < kFrameNs + 1'000'000'000; ns += 20'000) {
    clock.run_until(ns);
    const bool now = (in(0x3da) & 0x08) != 0;
    retraces += now && !before;
    before = now;
  }
  EXPECT_EQ(retraces, 70u);
}

TEST_F(VgaTest, TextScreenOf80x25) {
  vga.enter_text_mode();
  print(0, 0, "Hello \x01\x80\xdb");
  print(24, 70, "the corner");
  print(2, 0, std::string_view("\0\xff ", 3));
  indexed(0x3d4, 0x0e, 0);
  indexed(0x3d4, 0x0f, 80 + 9);
  const std::string text = vga.text_screen();
  EXPECT_TRUE(text.starts_with("80x25 text, cursor at row 1, column 9\nHello \u263a\u00c7\u2588\n\n"))
      << text;
  EXPECT_TRUE(text.ends_with("\n" + std::string(70, ' ') + "the corner\n")) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 26);
  indexed(0x3d4, 0x0a, 0x20);
  EXPECT_TRUE(vga.text_screen().starts_with("80x25 text, no cursor\n"));
}

TEST_F(VgaTest, StartAddressScrolls) {
  vga.enter_text_mode();
  for (u32 row = 0; row < 30; ++row) print(row, 0, "row " + std::to_string(row));
  indexed(0x3d4, 0x0c, 0x01);
  indexed(0x3d4, 0x0d, 0x90);  // 400 characters: 5 rows
  indexed(0x3d4, 0x0f, 0x00);
  const TextScreen screen = read_text_screen(vga.registers(), vga.memory());
  ASSERT_EQ(screen.rows.size(), 25u);
  EXPECT_EQ(screen.rows[0], "row 5");
  EXPECT_EQ(screen.rows[24], "row 29");
  EXPECT_FALSE(screen.cursor) << "above the screen";
}

TEST_F(VgaTest, LineCompareShowsAddress0BelowIt) {
  vga.enter_text_mode();
  for (u32 row = 0; row < 40; ++row) print(row, 0, "row " + std::to_string(row));
  indexed(0x3d4, 0x0c, 0x03);
  indexed(0x3d4, 0x0d, 0x20);  // row 10
  indexed(0x3d4, 0x11, 0x0e);
  indexed(0x3d4, 0x07, 0x1f);
  indexed(0x3d4, 0x09, 0x0f);
  indexed(0x3d4, 0x18, 0x3f);  // line 319, the last of screen row 19
  const TextScreen screen = read_text_screen(vga.registers(), vga.memory());
  EXPECT_EQ(screen.rows[19], "row 29");
  EXPECT_EQ(screen.rows[20], "row 0");
  EXPECT_EQ(screen.rows[24], "row 4");
}

TEST_F(VgaTest, OtherTextGeometries) {
  vga.enter_text_mode();
  indexed(0x3d4, 0x09, 0x47);
  EXPECT_TRUE(vga.text_screen().starts_with("80x50 text"));
  indexed(0x3d4, 0x11, 0x0e);
  indexed(0x3d4, 0x12, 0x57);
  EXPECT_TRUE(vga.text_screen().starts_with("80x43 text")) << vga.text_screen();
  indexed(0x3d4, 0x12, 0x8f);
  indexed(0x3d4, 0x09, 0x4f);
  indexed(0x3d4, 0x01, 39);
  indexed(0x3d4, 0x13, 20);
  vga.mmio_write(kB8000 + 80, Width::Word, 0x0758);
  const TextScreen screen = read_text_screen(vga.registers(), vga.memory());
  EXPECT_EQ(screen.columns, 40u);
  EXPECT_EQ(screen.rows[1], "X");
}

TEST_F(VgaTest, GraphicsModesSayWhatTheyAre) {
  vga.enter_text_mode();
  indexed(0x3d4, 0x11, 0x0e);
  // Mode 13h.
  indexed(0x3d4, 0x09, 0x41);
  indexed(0x3ce, 5, 0x40);
  indexed(0x3ce, 6, 0x05);
  EXPECT_EQ(vga.text_screen(), "320x200 graphics, 256 colors\n");
  // Mode 12h.
  indexed(0x3d4, 0x09, 0x40);
  indexed(0x3d4, 0x07, 0x3e);
  indexed(0x3d4, 0x12, 0xdf);
  indexed(0x3ce, 5, 0x00);
  EXPECT_EQ(vga.text_screen(), "640x480 graphics, 16 colors\n");
  // Mode 4.
  indexed(0x3d4, 0x01, 39);
  indexed(0x3d4, 0x09, 0xc1);
  indexed(0x3d4, 0x07, 0x1f);
  indexed(0x3d4, 0x12, 0x8f);
  indexed(0x3d4, 0x17, 0xa2);
  in(0x3da);
  out(0x3c0, 0x12);
  out(0x3c0, 0x03);
  out(0x3c0, 0x20);
  EXPECT_EQ(vga.text_screen(), "320x200 graphics, 4 colors\n");
  indexed(0x3c4, 1, 0x20);
  EXPECT_EQ(vga.text_screen(), "320x200 graphics, 4 colors, screen off\n");
}

TEST_F(VgaTest, Cp437) {
  EXPECT_EQ(cp437_utf8('A'), "A");
  EXPECT_EQ(cp437_utf8(0x00), " ");
  EXPECT_EQ(cp437_utf8(0x1f), "\u25bc");
  EXPECT_EQ(cp437_utf8(0x7f), "\u2302");
  EXPECT_EQ(cp437_utf8(0xb3), "\u2502");
  EXPECT_EQ(cp437_utf8(0xe1), "\u00df");
  EXPECT_EQ(cp437_utf8(0xfe), "\u25a0");
}

TEST_F(VgaTest, ResetTurnsTheCardOff) {
  vga.enter_text_mode();
  print(0, 0, "kept");
  vga.reset(ResetKind::Warm);
  EXPECT_EQ(peek(kB8000), 0xff);
  EXPECT_EQ(in(0x3cc), 0);
  EXPECT_EQ(vga.memory().plane_byte(0, 0), 'k') << "display memory survives a warm reset";
}

TEST_F(VgaTest, DispiIsThere) {
  out8(vga.dispi_ports(), 0, 0);
  vga.dispi_ports().pio_write(0, Width::Word, DispiRegisters::kId);
  EXPECT_EQ(vga.dispi_ports().pio_read(1, Width::Word), 0xb0c5u);
  vga.dispi_ports().pio_write(1, Width::Word, 0xb0c0);
  EXPECT_EQ(vga.dispi_ports().pio_read(2, Width::Word), 0xb0c0u);
  vga.dispi_ports().pio_write(1, Width::Word, 0xb0c6);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kId), 0xb0c0u) << "no version of it";
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kMemory64K), 16u << 20 >> 16);
  vga.write_dispi(DispiRegisters::kEnable, DispiRegisters::kGetCapabilities);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kXres), DispiRegisters::kMaxXres);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kBpp), 32u);
  EXPECT_EQ(vga.read_dispi(0x20), 0u);
  EXPECT_EQ(vga.dispi_ports().pio_read(0, Width::Word), u32{DispiRegisters::kId}) << "the index is as it was";
}

TEST_F(VgaTest, DispiMakesSizesFit) {
  show(1023, 768, 17);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kXres), 1016u);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kBpp), 8u);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kVirtualWidth), 1016u);
  vga.write_dispi(DispiRegisters::kEnable, 0);
  show(4096, 4096, 32);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kYres), 1024u) << "16 MiB have no more";
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kVirtualHeight), 1024u);
  vga.write_dispi(DispiRegisters::kYres, 512);
  vga.write_dispi(DispiRegisters::kYOffset, 512);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kYOffset), 512u);
  vga.write_dispi(DispiRegisters::kYOffset, 513);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kYOffset), 0u) << "it would end behind the memory";
  vga.write_dispi(DispiRegisters::kVirtualWidth, 100);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kVirtualWidth), 4096u) << "a line is not shorter than the picture";
}

TEST_F(VgaTest, DispiClearsItsPictureUnlessTold) {
  const u8 byte = 0x77;
  ram.write(0, {&byte, 1});
  ram.write(640 * 480 - 1, {&byte, 1});
  ram.write(640 * 480, {&byte, 1});
  show(640, 480, 8, DispiRegisters::kEnabled | DispiRegisters::kKeepMemory);
  EXPECT_EQ(ram.bytes()[0], 0x77);
  vga.write_dispi(DispiRegisters::kEnable, 0);
  show(640, 480, 8);
  EXPECT_EQ(ram.bytes()[0], 0);
  EXPECT_EQ(ram.bytes()[640 * 480 - 1], 0);
  EXPECT_EQ(ram.bytes()[640 * 480], 0x77);
}

TEST_F(VgaTest, DispiBanksShowMemoryAsItIs) {
  planar();
  show(800, 600, 8);
  vga.write_dispi(DispiRegisters::kBank, 3);
  vga.mmio_write(0x1234, Width::Dword, 0x44332211);
  EXPECT_EQ(ram.bytes()[3 * 0x10000 + 0x1234], 0x11);
  EXPECT_EQ(ram.bytes()[3 * 0x10000 + 0x1237], 0x44);
  EXPECT_EQ(vga.mmio_read(0x1234, Width::Dword), 0x44332211u);
  EXPECT_EQ(peek(kB8000), 0xff);
  vga.write_dispi(DispiRegisters::kBank, 0xffff);
  EXPECT_EQ(vga.read_dispi(DispiRegisters::kBank), 255u) << "the last one";
  poke(0xffff, 0x5a);
  EXPECT_EQ(ram.bytes()[(16 << 20) - 1], 0x5a);
}

TEST_F(VgaTest, DispiPlanarPicturesReachBeyond64K) {
  planar();
  show(1024, 768, 4);
  vga.write_dispi(DispiRegisters::kBank, 1);
  indexed(0x3c4, 2, 0x0a);
  poke(0x100, 0xf0);
  EXPECT_EQ(read_unaligned<u32>(&ram.bytes()[4 * 0x10100]), 0xf000f000u);
  indexed(0x3ce, 4, 1);
  EXPECT_EQ(peek(0x100), 0xf0);
}

TEST_F(VgaTest, EightBitDac) {
  out(0x3c8, 1);
  for (const u8 value : {0xff, 0xff, 0xff}) out(0x3c9, value);
  show(640, 480, 8, DispiRegisters::kEnabled | DispiRegisters::k8BitDac);
  for (const u8 value : {0xff, 0x80, 0x01}) out(0x3c9, value);
  EXPECT_EQ(vga.registers().dac[3], 0x3f);
  EXPECT_EQ(vga.registers().dac[6], 0xff);
  EXPECT_EQ(vga.registers().dac[8], 0x01);
}

TEST_F(VgaTest, RoundTripInTheMiddleOfEverything) {
  planar();
  poke(0x33, 0x77);
  peek(0x33);
  out(0x3c8, 5);
  out(0x3c9, 1);
  in(0x3da);
  out(0x3c0, 0x05);
  const auto bytes = saved(vga);
  // The memory is the board's.
  FakeVideoRam other_ram;
  other_ram.write(0, ram.bytes());
  Vga other(clock, other_ram);
  ASSERT_TRUE(load(other, bytes));
  EXPECT_EQ(saved(other), bytes);
  EXPECT_EQ(other.mmio_read(0x33, Width::Byte), 0x77u) << "the window is as it was";
}

TEST_F(VgaTest, Noise) {
  Noise noise(0x3c0);
  for (int i = 0; i < 200000; ++i) {
    if (noise.below(8) == 0) clock.step(noise.below(100'000));
    if (noise.below(3) != 0)
      noise.page(vga, Vga::kRangeBytes);
    else if (noise.below(4) != 0)
      noise.ports(vga.ports(), Vga::kPorts, Width::Byte);
    else
      vga.write_dispi(static_cast<u16>(noise.below(12)), static_cast<u16>(noise.value() & 0xfff));
    if (noise.below(5000) == 0) {
      EXPECT_FALSE(vga.text_screen().empty());
      PictureMaker maker;
      EXPECT_EQ(maker.update(vga.registers(), vga.frame(), ram.bytes(), nullptr).size(), 1u);
    }
    if (noise.below(10000) == 0) vga.enter_text_mode();
  }
  FakeVideoRam other_ram;
  Vga other(clock, other_ram);
  ASSERT_TRUE(load(other, saved(vga)));
  EXPECT_EQ(saved(other), saved(vga));
  EXPECT_FALSE(vga.debug_dump().empty());
}

}  // namespace
}  // namespace reprise::devices
