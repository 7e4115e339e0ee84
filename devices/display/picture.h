// Picture: what a screen shows, as pixels.
#pragma once

#include <span>
#include <vector>

#include "common/types.h"

namespace reprise::devices {

/// In pixels; never empty.
struct Rect {
  u32 x = 0, y = 0, width = 0, height = 0;
  bool operator==(const Rect&) const = default;
};

struct Picture {
  u32 width = 0;
  u32 height = 0;
  /// A VGA mode: its dots, whatever their number, fill a screen of 4:3. Otherwise pixels are squares.
  bool fills_4_to_3 = false;
  std::vector<u32> pixels;  // 00rrggbb, row by row without gaps

  std::span<const u32> row(u32 y) const { return std::span(pixels).subspan(u64{y} * width, width); }
  bool same_shape(const Picture& other) const {
    return width == other.width && height == other.height && fills_4_to_3 == other.fills_4_to_3;
  }
};

}  // namespace reprise::devices
