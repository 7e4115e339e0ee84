#include "machine/storage/first_touches.h"

#include <algorithm>
#include <vector>

#include "machine/storage/raw_image.h"

namespace reprise::machine {

using devices::BlockBackend;
using devices::BlockStatus;

void FirstTouches::before(const std::string& name, u64 offset, u64 bytes, const Read& read) {
  if (!listener_) return;
  SectorMap& known = known_[name];
  std::vector<u8> piece;
  for (const u64 end = offset + bytes; offset < end;) {
    bool is_known = false;
    const u64 first = offset / BlockBackend::kSectorBytes;
    const u64 left = std::min(end - offset, kPieceBytes) / BlockBackend::kSectorBytes;
    const u64 sectors = known.run(first, left, is_known);
    if (!is_known) {
      piece.resize(sectors * BlockBackend::kSectorBytes);
      // What cannot be read is zeros, and a repeated run is told of the error where the guest was.
      (void)read(offset, piece);
      listener_(name, offset, piece);
      known.set(first, sectors);
    }
    offset += sectors * BlockBackend::kSectorBytes;
  }
}

void WrittenThroughImage::tell(u64 offset, u64 bytes) {
  if (bytes == 0 || !is_block_range(offset, bytes, image_->bytes())) return;
  writes_->before(name_, offset, bytes,
                  [this](u64 from, std::span<u8> into) { return image_->read(from, into); });
}

BlockStatus WrittenThroughImage::write(u64 offset, std::span<const u8> from) {
  tell(offset, from.size());
  return image_->write(offset, from);
}

BlockStatus WrittenThroughImage::discard(u64 offset, u64 bytes) {
  tell(offset, bytes);
  return image_->discard(offset, bytes);
}

BlockStatus CollectedImage::read(u64 offset, std::span<u8> into) {
  const BlockStatus status = image_->read(offset, into);
  if (status == BlockStatus::Ok && !into.empty())
    reads_->before(name_, offset, into.size(), [&](u64 from, std::span<u8> part) {
      std::ranges::copy(into.subspan(from - offset, part.size()), part.begin());
      return BlockStatus::Ok;
    });
  return status;
}

}  // namespace reprise::machine
