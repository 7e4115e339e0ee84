#include "devices/display/text_screen.h"

#include <fmt/format.h>

#include <algorithm>

namespace reprise::devices {
namespace {

/// Glyphs 00h to 1Fh.
constexpr char16_t kLowGlyphs[] =
    u" \u263a\u263b\u2665\u2666\u2663\u2660\u2022\u25d8\u25cb\u25d9\u2642\u2640\u266a\u266b\u263c"
    u"\u25ba\u25c4\u2195\u203c\u00b6\u00a7\u25ac\u21a8\u2191\u2193\u2192\u2190\u221f\u2194\u25b2\u25bc";
/// Glyphs 7Fh to FFh.
constexpr char16_t kHighGlyphs[] =
    u"\u2302"
    u"ÇüéâäàåçêëèïîìÄÅ"
    u"ÉæÆôöòûùÿÖÜ¢£¥₧ƒ"
    u"áíóúñÑªº¿⌐¬½¼¡«»"
    u"░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
    u"└┴┬├─┼╞╟╚╔╩╦╠═╬╧"
    u"╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀"
    u"αßΓπΣσµτΦΘΩδ∞φε∩"
    u"≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";
static_assert(std::size(kLowGlyphs) == 0x20 + 1);
static_assert(std::size(kHighGlyphs) == 0x81 + 1);

}  // namespace

std::string cp437_utf8(u8 glyph) {
  const unsigned code = glyph < 0x20 ? kLowGlyphs[glyph] : glyph < 0x7f ? glyph : kHighGlyphs[glyph - 0x7f];
  std::string text;
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xc0 | code >> 6);
    text += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    text += static_cast<char>(0xe0 | code >> 12);
    text += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (code & 0x3f));
  }
  return text;
}

TextScreen read_text_screen(const VgaRegisters& registers, const VgaMemory& memory) {
  constexpr u32 kCounterMask = 0xffff;
  const u32 scan = registers.double_scanned() ? 2 : 1;
  const u32 row_lines = registers.row_lines() * scan;
  const u32 count = std::max(1u, registers.displayed_lines() / row_lines);

  TextScreen screen;
  screen.columns = registers.columns();
  u32 row_address = registers.start_address();
  for (u32 row = 0; row < count; ++row) {
    // Behind the line-compare line the picture goes on with address 0.
    const u32 first_line = row * row_lines;
    if (first_line > registers.line_compare() && first_line - registers.line_compare() <= row_lines)
      row_address = 0;
    std::string text;
    std::size_t used = 0;
    for (u32 column = 0; column < screen.columns; ++column) {
      const u32 address = (row_address + column) & kCounterMask;
      const u8 glyph = memory.plane_byte(0, registers.plane_address(address, 0));
      text += cp437_utf8(glyph);
      if (text.back() != ' ') used = text.size();
      if (registers.cursor_on() && address == registers.cursor_address()) screen.cursor = {row, column};
    }
    text.resize(used);
    screen.rows.push_back(std::move(text));
    row_address += registers.row_pitch();
  }
  return screen;
}

std::string describe_screen(const VgaRegisters& registers, const VgaMemory& memory) {
  std::string text = registers.mode_name();
  if (!registers.screen_on()) text += ", screen off";
  if (registers.graphics_mode()) return text + "\n";
  const TextScreen screen = read_text_screen(registers, memory);
  if (screen.cursor)
    text += fmt::format(", cursor at row {}, column {}\n", screen.cursor->row, screen.cursor->column);
  else
    text += ", no cursor\n";
  for (const std::string& row : screen.rows) text += row + "\n";
  return text;
}

}  // namespace reprise::devices
