// Where in a window the guest's picture lies, and which of its dots a place in the window is.
#pragma once

#include "common/types.h"

namespace reprise::frontend {

struct PictureShape {
  int width = 0;
  int height = 0;
  bool fills_4_to_3 = false;  // whatever the number of its dots
  bool operator==(const PictureShape&) const = default;
};

struct WindowSize {
  int width = 0;
  int height = 0;
  bool operator==(const WindowSize&) const = default;
};

struct PicturePlace {
  int x = 0, y = 0, width = 0, height = 0;
  bool operator==(const PicturePlace&) const = default;
};

enum class Scaling : u8 {
  Smooth,  // as large as the window allows, as a monitor would show it
  Whole,   // each dot a square of so many pixels; smooth where the window is too small for that
};

/// Of a window that shows the picture in its own size.
WindowSize natural_size(const PictureShape& shape);

/// Centered. `shape` and `window` have no size of 0.
PicturePlace place_picture(const PictureShape& shape, const WindowSize& window, Scaling scaling);

struct Dot {
  int x = 0, y = 0;
  bool operator==(const Dot&) const = default;
};
/// The dot at a place in the window; beside the picture the nearest.
Dot dot_at(const PictureShape& shape, const PicturePlace& place, int x, int y);

}  // namespace reprise::frontend
