// What a monitor says of itself: VESA Enhanced EDID 1.4, one block.
#pragma once

#include <array>

#include "common/types.h"

namespace reprise::devices {

/// In pixels.
struct DisplaySize {
  u32 width = 1280;
  u32 height = 800;
  bool operator==(const DisplaySize&) const = default;
};

/// What a detailed timing can say, in whole characters.
inline constexpr DisplaySize kMaxDisplaySize = {4088, 4095};
inline constexpr DisplaySize kMinDisplaySize = {320, 200};

inline constexpr u32 kEdidBytes = 128;

/// A monitor that prefers `size` at 60 Hz, and shows whatever is smaller. `size` lies between the limits, and its width
/// is a multiple of 8.
std::array<u8, kEdidBytes> make_edid(DisplaySize size);

}  // namespace reprise::devices
