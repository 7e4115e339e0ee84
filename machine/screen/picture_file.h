// The screen as a file: a picture (PNG, PPM) or text, as the name says.
#pragma once

#include <string_view>
#include <vector>

#include "common/result.h"
#include "devices/display/picture.h"
#include "devices/display/vga.h"

namespace reprise::machine {

enum class PictureFormat : u8 { Text, Png, Ppm };

/// By the end of `path`, large or small letters: .png, .ppm; anything else is text.
PictureFormat picture_format_of(std::string_view path);

/// False in a build without libpng.
bool png_is_offered();

/// What the file is to hold: the screen as it is at this moment. Error: PNG is not offered. Machine thread, between turns.
Result<std::vector<u8>> screen_content(const devices::Vga& vga, PictureFormat format);

/// `picture` as a file: 8 bits a color.
std::vector<u8> ppm_of(const devices::Picture& picture);
Result<std::vector<u8>> png_of(const devices::Picture& picture);

}  // namespace reprise::machine
