#include "devices/display/edid.h"

#include <algorithm>
#include <string_view>

namespace reprise::devices {
namespace {

// 3.10.2: detailed timing descriptor. Blanking as in CVT with reduced blanking.
void put_detailed_timing(u8* at, DisplaySize size, u32 width_mm, u32 height_mm) {
  constexpr u32 kBlankedPixels = 160, kFrontPixels = 48, kSyncPixels = 32;
  constexpr u32 kFrontLines = 3, kSyncLines = 6;
  constexpr u8 kDigitalSeparateSync = 0x18, kHsyncPositive = 0x02;
  const u32 blanked_lines = std::max(23u, size.height / 32);
  const u64 pixels_per_s = u64{size.width + kBlankedPixels} * (size.height + blanked_lines) * 60;
  const u32 clock_10khz = static_cast<u32>(std::min<u64>(pixels_per_s / 10'000, 0xffff));
  const auto low = [](u32 value) { return static_cast<u8>(value); };
  const u8 bytes[18] = {low(clock_10khz),
                        low(clock_10khz >> 8),
                        low(size.width),
                        low(kBlankedPixels),
                        low(size.width >> 8 << 4 | kBlankedPixels >> 8),
                        low(size.height),
                        low(blanked_lines),
                        low(size.height >> 8 << 4 | blanked_lines >> 8),
                        low(kFrontPixels),
                        low(kSyncPixels),
                        low(kFrontLines << 4 | kSyncLines),
                        0,
                        low(width_mm),
                        low(height_mm),
                        low(width_mm >> 8 << 4 | height_mm >> 8),
                        0,
                        0,
                        kDigitalSeparateSync | kHsyncPositive};
  std::ranges::copy(bytes, at);
}

// 3.10.3: display descriptors, which begin with a clock of 0.
void put_name(u8* at, std::string_view name) {
  constexpr u8 kName = 0xfc;
  std::fill(at, at + 18, u8{' '});
  std::fill(at, at + 5, u8{0});
  at[3] = kName;
  std::ranges::copy(name, at + 5);
  at[5 + name.size()] = '\n';
}

void put_range_limits(u8* at) {
  constexpr u8 kRangeLimits = 0xfd;
  constexpr u8 kOffsetHorizontalMax = 0x08;
  constexpr u8 kLimitsOnly = 0x01;
  // 50 to 125 Hz, 30 to 255 + 255 kHz, 2550 MHz.
  const u8 bytes[18] = {
      0,   0,   0,   kRangeLimits, kOffsetHorizontalMax, 50, 125, 30, 255, 255, kLimitsOnly, '\n', ' ', ' ',
      ' ', ' ', ' ', ' '};
  std::ranges::copy(bytes, at);
}

void put_dummy(u8* at) {
  std::fill(at, at + 18, u8{0});
  at[3] = 0x10;
}

/// 3.9: modes of a PC at 60 Hz that need not be in the established ones.
struct StandardTiming {
  u32 width, height;
  u8 aspect;  // 0 16:10, 1 4:3, 2 5:4, 3 16:9
};
constexpr StandardTiming kStandardTimings[] = {{1920, 1200, 0}, {1920, 1080, 3}, {1600, 1200, 1},
                                               {1680, 1050, 0}, {1440, 900, 0},  {1280, 1024, 2},
                                               {1280, 720, 3},  {1280, 800, 0}};

}  // namespace

std::array<u8, kEdidBytes> make_edid(DisplaySize size) {
  std::array<u8, kEdidBytes> edid{};
  const u8 header[] = {0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
  std::ranges::copy(header, edid.begin());
  // 3.4: "RPR" in five bits a letter, a product code, a serial number, week and year 1990 + 35.
  const auto letter = [](char c) { return static_cast<u32>(c - 'A' + 1); };
  const u32 maker = letter('R') << 10 | letter('P') << 5 | letter('R');
  const u8 identity[] = {
      static_cast<u8>(maker >> 8), static_cast<u8>(maker), 0x34, 0x12, 1, 0, 0, 0, 1, 35, 1, 4};
  std::ranges::copy(identity, edid.begin() + 8);
  // 3.6: digital, 8 bits a color, DisplayPort; 96 pixels an inch; gamma 2.2; sRGB, the preferred mode is the native one.
  const u32 width_mm = size.width * 254 / 960, height_mm = size.height * 254 / 960;
  edid[20] = 0xa5;
  edid[21] = static_cast<u8>(std::min(width_mm / 10, 255u));
  edid[22] = static_cast<u8>(std::min(height_mm / 10, 255u));
  edid[23] = 120;
  edid[24] = 0x06;
  // 3.7: chromaticities of sRGB.
  const u8 colors[] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};
  std::ranges::copy(colors, edid.begin() + 25);
  // 3.8: what fits of 640x480, 800x600 and 1024x768 at 60 Hz.
  const auto fits = [&](u32 width, u32 height) { return width <= size.width && height <= size.height; };
  edid[35] = static_cast<u8>((fits(640, 480) ? 0x20 : 0) | (fits(800, 600) ? 0x01 : 0));
  edid[36] = fits(1024, 768) ? 0x08 : 0;
  std::fill(edid.begin() + 38, edid.begin() + 54, u8{0x01});  // unused
  u8* next = edid.data() + 38;
  for (const StandardTiming& timing : kStandardTimings) {
    if (!fits(timing.width, timing.height)) continue;
    *next++ = static_cast<u8>(timing.width / 8 - 31);
    *next++ = static_cast<u8>(timing.aspect << 6);
  }
  put_detailed_timing(&edid[54], size, width_mm, height_mm);
  put_name(&edid[72], "Reprise");
  put_range_limits(&edid[90]);
  put_dummy(&edid[108]);
  u8 sum = 0;
  for (const u8 byte : edid) sum = static_cast<u8>(sum + byte);
  edid[127] = static_cast<u8>(-sum);
  return edid;
}

}  // namespace reprise::devices
