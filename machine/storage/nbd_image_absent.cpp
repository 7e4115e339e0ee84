// In place of nbd_image.cpp in a build without libnbd.
#include <fmt/format.h>

#include "machine/storage/nbd_image.h"

namespace reprise::machine {

using devices::BlockStatus;

struct NbdImage::Connection {};

NbdImage::NbdImage(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
NbdImage::~NbdImage() = default;

bool NbdImage::offered() { return false; }

Result<std::unique_ptr<NbdImage>> NbdImage::open(const std::string& path, const std::string& format, Access) {
  return Error{
      fmt::format("disk image '{}' is {}, and this reprise was built without libnbd: build it with Debian's "
                  "package libnbd-dev.",
                  path, format)};
}

u64 NbdImage::bytes() const { return 0; }
bool NbdImage::read_only() const { return true; }
BlockStatus NbdImage::read(u64, std::span<u8>) { return BlockStatus::ReadError; }
BlockStatus NbdImage::write(u64, std::span<const u8>) { return BlockStatus::WriteError; }
BlockStatus NbdImage::flush() { return BlockStatus::WriteError; }
BlockStatus NbdImage::discard(u64, u64) { return BlockStatus::WriteError; }

}  // namespace reprise::machine
