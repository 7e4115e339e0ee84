#include "devices/display/picture_maker.h"

#include <algorithm>

#include "common/bits.h"
#include "devices/display/edid.h"

namespace reprise::devices {
namespace {

constexpr u32 kPlaneBytes = VgaMemory::kPlaneBytes;
constexpr u32 kPlanes = VgaMemory::kPlanes;
/// A monitor shows nothing of less than this, as registers at power-on have it.
constexpr u32 kLeastColumns = 20;
constexpr u32 kLeastLines = 100;
constexpr DisplaySize kDarkScreen = {640, 480};
/// A guest cannot make its picture take more of the host.
constexpr u64 kMostPixels = u64{1} << 25;

// GR5
constexpr u8 kInterleavedShift = 0x20;
constexpr u8 k256Colors = 0x40;
// AR10
constexpr u8 kLineGraphics = 0x04;
constexpr u8 kBlink = 0x08;
constexpr u8 kPanTopOnly = 0x20;
constexpr u8 kPaletteBits54 = 0x80;

constexpr u32 widen(u32 value, unsigned bits) {
  return (value << (8 - bits) | value >> (2 * bits - 8)) & 0xff;
}
constexpr u32 pixel(u32 red, u32 green, u32 blue) { return red << 16 | green << 8 | blue; }

bool off(const VgaRegisters& registers) {
  if (!registers.screen_on()) return true;
  return !registers.dispi.enabled() &&
         (registers.columns() < kLeastColumns || registers.displayed_lines() < kLeastLines);
}

u32 dots_per_cell(const VgaRegisters& registers) {
  return registers.graphics_mode() ? 8 : registers.dots_per_character();
}

/// Of plane 2, where the font for characters with attribute bit 3 as `second` begins. SR3.
u32 font_address(const VgaRegisters& registers, bool second) {
  const u32 map = registers.sequencer[3];
  const u32 selected = second ? (map >> 2 & 3) | (map >> 3 & 4) : (map & 3) | (map >> 2 & 4);
  return (selected & 3) * 0x4000 + (selected >> 2) * 0x2000;
}

}  // namespace

ShownMemory shown_memory(const VgaRegisters& registers) {
  const DispiRegisters& dispi = registers.dispi;
  if (!dispi.enabled()) return {0, kPlanes * kPlaneBytes};
  // Whole lines, though of the last one the end may not show.
  return {dispi.first_byte(), dispi.picture_bytes()};
}

VgaRegisters registers_shown(const VgaRegisters& registers) {
  VgaRegisters shown;
  shown.sequencer = registers.sequencer;
  shown.attribute = registers.attribute;
  shown.attribute_index = registers.attribute_index & 0x20;
  shown.dac_mask = registers.dac_mask;
  shown.dac = registers.dac;
  shown.dispi = registers.dispi;
  shown.dispi.index = shown.dispi.bank = shown.dispi.id = 0;
  if (!shown.dispi.enabled()) {
    shown.dispi = {};
    shown.crtc = registers.crtc;
    shown.graphics[5] = registers.graphics[5];
    shown.graphics[6] = registers.graphics[6];
  }
  // What blanks, and not when, is part of the picture.
  shown.sequencer[0] = shown.sequencer[2] = 0;
  return shown;
}

bool ChangedPages::any_in(u64 first_byte, u64 bytes) const {
  if (bytes == 0) return false;
  const u64 last = std::min<u64>((first_byte + bytes - 1) / kPageBytes, pages_.size() - 1);
  for (u64 page = first_byte / kPageBytes; page <= last; ++page)
    if (pages_[page]) return true;
  return false;
}

// "Cursor": half of every 16 frames; characters half of every 32.
PictureMaker::Blink PictureMaker::blink_at(const VgaRegisters& registers, u64 frame) {
  if (registers.graphics_mode()) return {};
  return {.cursor = registers.cursor_on() && (frame & 8) == 0,
          .characters = (registers.attribute[0x10] & kBlink) == 0 || (frame & 16) == 0};
}

std::vector<Rect> PictureMaker::update(const VgaRegisters& registers, u64 frame, std::span<const u8> memory,
                                       const ChangedPages* changed) {
  memory_ = memory;
  new_.clear();
  const VgaRegisters shown = registers_shown(registers);
  const Blink blink = blink_at(shown, frame);
  if (!made_ || shown != registers_ || blink != blink_) changed = nullptr;
  registers_ = shown;
  blink_ = blink;

  const bool packed = shown.dispi.enabled();
  Picture shape{
      .width = kDarkScreen.width, .height = kDarkScreen.height, .fills_4_to_3 = !packed, .pixels = {}};
  if (packed) {
    shape.width = shown.dispi.xres;
    shape.height = shown.dispi.yres;
  } else if (!off(shown)) {
    shape.width = shown.columns() * dots_per_cell(shown) * (shown.half_dot_clock() ? 2 : 1);
    shape.height = shown.displayed_lines();
  }
  shape.height = static_cast<u32>(std::min<u64>(shape.height, kMostPixels / shape.width));
  const bool other_shape = !made_ || !picture_.same_shape(shape);
  if (other_shape) {
    shape.pixels.resize(u64{shape.width} * shape.height);
    picture_ = std::move(shape);
    changed = nullptr;
  }
  made_ = true;

  look_up_colors();
  if (off(shown))
    take_black();
  else if (!packed)
    make_vga(changed);
  else if (shown.dispi.planar())
    make_planar(changed);
  else
    make_packed(changed);
  memory_ = {};
  if (other_shape) return {{0, 0, picture_.width, picture_.height}};
  return std::move(new_);
}

void PictureMaker::look_up_colors() {
  const bool eight_bits = registers_.dispi.enabled() && registers_.dispi.eight_bit_dac();
  for (u32 index = 0; index < palette_.size(); ++index) {
    const u8* entry = &registers_.dac[3 * (index & registers_.dac_mask)];
    palette_[index] = eight_bits ? pixel(entry[0], entry[1], entry[2])
                                 : pixel(widen(entry[0] & 0x3fu, 6), widen(entry[1] & 0x3fu, 6),
                                         widen(entry[2] & 0x3fu, 6));
  }
  const auto& attribute = registers_.attribute;
  for (u32 color = 0; color < colors_.size(); ++color) {
    u32 index = attribute[color & attribute[0x12]] & 0x3fu;
    if (attribute[0x10] & kPaletteBits54) index = (index & 0x0f) | (attribute[0x14] & 3u) << 4;
    colors_[color] = palette_[index | (attribute[0x14] & 0x0cu) << 4];
  }
}

u32 PictureMaker::planes_at(u64 address) const {
  return read_unaligned<u32>(&memory_[address * kPlanes % memory_.size()]);
}

void PictureMaker::make_vga(const ChangedPages* changed) {
  if (changed != nullptr && !changed->any_in(0, kPlanes * kPlaneBytes)) return;
  const u32 row_lines = registers_.row_lines();
  const u32 repeats = registers_.double_scanned() ? 2 : 1;
  const bool nine_dots = dots_per_cell(registers_) == 9;
  const u32 panning = registers_.attribute[0x13] & 0x0f;
  // "Horizontal PEL Panning": with nine dots, 8 is none and 0 is one.
  const u32 panned = nine_dots ? (panning >= 8 ? 0 : panning + 1) : panning & 7;
  Line line = {.address = registers_.start_address() + (registers_.crtc[0x08] >> 5 & 3u),
               .row_scan = registers_.crtc[0x08] & 0x1fu,
               .panned_dots = panned};
  u32 row_address = line.address;
  u32 repeat = 0;
  const u32 dot_clocks = registers_.half_dot_clock() ? 2 : 1;
  for (u32 y = 0; y < picture_.height; ++y) {
    line.address = row_address;
    const u32 cells = registers_.columns() + 1;
    line_.resize(u64{cells} * dots_per_cell(registers_) * dot_clocks);
    if (registers_.graphics_mode())
      graphics_line(line);
    else
      text_line(line);
    if (dot_clocks == 2) {
      const std::size_t dots = line_.size() / 2;
      for (std::size_t i = dots; i-- > 0;) line_[2 * i] = line_[2 * i + 1] = line_[i];
    }
    take_line(y, line.panned_dots * dot_clocks);
    if (++repeat == repeats) {
      repeat = 0;
      if (line.row_scan == row_lines - 1) {
        line.row_scan = 0;
        row_address += registers_.row_pitch();
      } else {
        line.row_scan = (line.row_scan + 1) & 0x1f;
      }
    }
    // Below the split the picture goes on with address 0.
    if (y != registers_.line_compare()) continue;
    row_address = 0;
    line.row_scan = 0;
    repeat = 0;
    if (registers_.attribute[0x10] & kPanTopOnly) line.panned_dots = 0;
  }
}

void PictureMaker::text_line(const Line& line) {
  const u32 dots = registers_.dots_per_character();
  const bool blinks = (registers_.attribute[0x10] & kBlink) != 0;
  const bool line_graphics = (registers_.attribute[0x10] & kLineGraphics) != 0;
  const u32 fonts[2] = {font_address(registers_, false), font_address(registers_, true)};
  const bool cursor_line = blink_.cursor && line.row_scan >= (registers_.crtc[0x0a] & 0x1fu) &&
                           line.row_scan <= (registers_.crtc[0x0b] & 0x1fu);
  const bool underline = line.row_scan == (registers_.crtc[0x14] & 0x1fu);
  u32* out = line_.data();
  for (u32 column = 0; column <= registers_.columns(); ++column) {
    const u32 address = (line.address + column) & 0xffff;
    const u32 planes = planes_at(registers_.plane_address(address, line.row_scan));
    const u8 glyph = static_cast<u8>(planes), attribute = static_cast<u8>(planes >> 8);
    const u32 font_byte = fonts[attribute >> 3 & 1] + glyph * 32u + line.row_scan;
    u32 pattern = planes_at(font_byte % kPlaneBytes) >> 16 & 0xff;
    u32 foreground = attribute & 0x0f, background = attribute >> 4;
    if (blinks) {
      background &= 7;
      if ((attribute & 0x80) && !blink_.characters) pattern = 0;
    }
    // Underlined: foreground 1 on background 0, as in monochrome modes.
    if (underline && (attribute & 0x77) == 0x01) pattern = 0xff;
    pattern <<= 1;
    if (line_graphics && glyph >= 0xc0 && glyph <= 0xdf) pattern |= pattern >> 1 & 1;
    if (cursor_line && address == registers_.cursor_address()) pattern = 0x1ff;
    for (u32 dot = 0; dot < dots; ++dot) *out++ = colors_[pattern >> (8 - dot) & 1 ? foreground : background];
  }
}

void PictureMaker::put_planes(u32 planes, u32* dots) const {
  for (u32 dot = 0; dot < 8; ++dot) {
    const u32 bits = planes >> (7 - dot);
    dots[dot] = colors_[(bits & 1) | (bits >> 7 & 2) | (bits >> 14 & 4) | (bits >> 21 & 8)];
  }
}

// "Graphics Mode Register": how the four bytes become dots.
void PictureMaker::graphics_line(const Line& line) {
  const u8 mode = registers_.graphics[5];
  u32* out = line_.data();
  for (u32 column = 0; column <= registers_.columns(); ++column, out += 8) {
    const u32 planes = planes_at(registers_.plane_address(line.address + column, line.row_scan));
    if (mode & k256Colors) {
      for (u32 dot = 0; dot < 8; ++dot) out[dot] = palette_[planes >> (8 * (dot / 2)) & 0xff];
    } else if (mode & kInterleavedShift) {
      // Two bits a dot: planes 0 and 2, then planes 1 and 3.
      for (u32 dot = 0; dot < 8; ++dot) {
        const u32 pair = planes >> (dot < 4 ? 0 : 8) >> (6 - 2 * (dot & 3));
        out[dot] = colors_[(pair & 3) | (pair >> 14 & 12)];
      }
    } else {
      put_planes(planes, out);
    }
  }
}

void PictureMaker::make_planar(const ChangedPages* changed) {
  const DispiRegisters& dispi = registers_.dispi;
  line_.resize(picture_.width);
  for (u32 y = 0; y < picture_.height; ++y) {
    const u64 first = dispi.first_byte() + u64{y} * dispi.bytes_per_line();
    if (changed != nullptr && !changed->any_in(first, picture_.width / 2)) continue;
    for (u32 x = 0; x < picture_.width; x += 8) put_planes(planes_at(first / kPlanes + x / 8), &line_[x]);
    take_line(y, 0);
  }
}

void PictureMaker::make_packed(const ChangedPages* changed) {
  const DispiRegisters& dispi = registers_.dispi;
  const u64 shown_bytes = u64{picture_.width} * ((dispi.bpp + 7u) / 8);
  line_.resize(picture_.width);
  for (u32 y = 0; y < picture_.height; ++y) {
    const u64 first = dispi.first_byte() + u64{y} * dispi.bytes_per_line();
    if (changed != nullptr && !changed->any_in(first, shown_bytes)) continue;
    packed_line(&memory_[first]);
    take_line(y, 0);
  }
}

void PictureMaker::packed_line(const u8* from) {
  const u32 width = picture_.width;
  switch (registers_.dispi.bpp) {
    case 8:
      for (u32 x = 0; x < width; ++x) line_[x] = palette_[from[x]];
      return;
    case 15:
      for (u32 x = 0; x < width; ++x) {
        const u32 value = read_unaligned<u16>(from + 2 * x);
        line_[x] = pixel(widen(value >> 10 & 31, 5), widen(value >> 5 & 31, 5), widen(value & 31, 5));
      }
      return;
    case 16:
      for (u32 x = 0; x < width; ++x) {
        const u32 value = read_unaligned<u16>(from + 2 * x);
        line_[x] = pixel(widen(value >> 11, 5), widen(value >> 5 & 63, 6), widen(value & 31, 5));
      }
      return;
    case 24:
      for (u32 x = 0; x < width; ++x) line_[x] = pixel(from[3 * x + 2], from[3 * x + 1], from[3 * x]);
      return;
    default:
      for (u32 x = 0; x < width; ++x) line_[x] = read_unaligned<u32>(from + 4 * x) & 0xff'ffff;
  }
}

void PictureMaker::take_line(u32 y, u32 first) {
  const u32* made = line_.data() + first;
  u32* const row = picture_.pixels.data() + u64{y} * picture_.width;
  const u32* const row_end = row + picture_.width;
  const u32 begin = static_cast<u32>(std::mismatch(row, const_cast<u32*>(row_end), made).first - row);
  if (begin == picture_.width) return;
  u32 end = picture_.width;
  while (row[end - 1] == made[end - 1]) --end;
  std::copy(made + begin, made + end, row + begin);
  if (!new_.empty() && new_.back().y + new_.back().height == y) {
    Rect& last = new_.back();
    const u32 right = std::max(last.x + last.width, end);
    last.x = std::min(last.x, begin);
    last.width = right - last.x;
    ++last.height;
  } else {
    new_.push_back({begin, y, end - begin, 1});
  }
}

void PictureMaker::take_black() {
  line_.assign(picture_.width, 0);
  for (u32 y = 0; y < picture_.height; ++y) take_line(y, 0);
}

}  // namespace reprise::devices
