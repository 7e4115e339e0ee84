// The only user of libpng. Its simplified interface: no jumps over C++ frames.
#include <fmt/format.h>
#include <png.h>

#include "machine/screen/picture_file.h"

namespace reprise::machine {

bool png_is_offered() { return true; }

Result<std::vector<u8>> png_of(const devices::Picture& picture) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = picture.width;
  image.height = picture.height;
  image.format = PNG_FORMAT_RGB;
  std::vector<u8> rows;
  rows.reserve(3 * picture.pixels.size());
  for (const u32 pixel : picture.pixels)
    for (const unsigned shift : {16u, 8u, 0u}) rows.push_back(static_cast<u8>(pixel >> shift));
  const auto failed = [&image] {
    return Error{fmt::format("the picture cannot be made a PNG: {}.", image.message)};
  };
  std::vector<u8> bytes(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = bytes.size();
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, rows.data(), 0, nullptr)) return failed();
  bytes.resize(size);
  return bytes;
}

}  // namespace reprise::machine
