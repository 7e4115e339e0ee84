// In place of png.cpp in a build without libpng.
#include "machine/screen/picture_file.h"

namespace reprise::machine {

bool png_is_offered() { return false; }

Result<std::vector<u8>> png_of(const devices::Picture&) {
  return Error{
      "a picture cannot be written as PNG, because this reprise was built without libpng: build it with "
      "Debian's "
      "package libpng-dev, or give a name that ends in .ppm."};
}

}  // namespace reprise::machine
