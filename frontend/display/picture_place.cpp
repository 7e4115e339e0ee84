#include "frontend/display/picture_place.h"

#include <algorithm>

namespace reprise::frontend {

WindowSize natural_size(const PictureShape& shape) {
  return {shape.width, shape.fills_4_to_3 ? shape.width * 3 / 4 : shape.height};
}

PicturePlace place_picture(const PictureShape& shape, const WindowSize& window, Scaling scaling) {
  WindowSize size;
  const int times = std::min(window.width / shape.width, window.height / shape.height);
  if (scaling == Scaling::Whole && times >= 1) {
    size = {shape.width * times, shape.height * times};
  } else {
    const i64 across = shape.fills_4_to_3 ? 4 : shape.width;
    const i64 down = shape.fills_4_to_3 ? 3 : shape.height;
    if (window.width * down <= window.height * across)
      size = {window.width, static_cast<int>(window.width * down / across)};
    else
      size = {static_cast<int>(window.height * across / down), window.height};
  }
  size = {std::max(size.width, 1), std::max(size.height, 1)};
  return {(window.width - size.width) / 2, (window.height - size.height) / 2, size.width, size.height};
}

Dot dot_at(const PictureShape& shape, const PicturePlace& place, int x, int y) {
  const auto along = [](int at, int from, int length, int dots) {
    return std::clamp(static_cast<int>(i64{at - from} * dots / length), 0, dots - 1);
  };
  return {along(x, place.x, place.width, shape.width), along(y, place.y, place.height, shape.height)};
}

}  // namespace reprise::frontend
