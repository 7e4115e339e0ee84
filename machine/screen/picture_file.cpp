#include "machine/screen/picture_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "devices/display/picture_maker.h"

namespace reprise::machine {
namespace {

bool ends_with(std::string_view path, std::string_view end) {
  if (path.size() < end.size()) return false;
  return std::ranges::equal(path.substr(path.size() - end.size()), end,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; });
}

std::vector<u8> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace

PictureFormat picture_format_of(std::string_view path) {
  if (ends_with(path, ".png")) return PictureFormat::Png;
  return ends_with(path, ".ppm") ? PictureFormat::Ppm : PictureFormat::Text;
}

Result<std::vector<u8>> screen_content(const devices::Vga& vga, PictureFormat format) {
  if (format == PictureFormat::Text) return bytes_of(vga.text_screen());
  devices::PictureMaker maker;
  maker.update(vga.registers(), vga.frame(), vga.memory().bytes(), nullptr);
  if (format == PictureFormat::Ppm) return ppm_of(maker.picture());
  return png_of(maker.picture());
}

std::vector<u8> ppm_of(const devices::Picture& picture) {
  std::vector<u8> bytes = bytes_of(fmt::format("P6\n{} {}\n255\n", picture.width, picture.height));
  bytes.reserve(bytes.size() + 3 * picture.pixels.size());
  for (const u32 pixel : picture.pixels)
    for (const unsigned shift : {16u, 8u, 0u}) bytes.push_back(static_cast<u8>(pixel >> shift));
  return bytes;
}

}  // namespace reprise::machine
