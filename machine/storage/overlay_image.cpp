#include "machine/storage/overlay_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "machine/storage/raw_image.h"

namespace reprise::machine {

using devices::BlockStatus;

Result<std::unique_ptr<OverlayImage>> OverlayImage::create(std::unique_ptr<devices::BlockBackend> base) {
  HostFd fd = open_unnamed_file();
  if (!fd) {
    return Error{
        fmt::format("no file for what the guest writes to its disks could be made in TMPDIR (else /tmp): {}.",
                    std::strerror(errno))};
  }
  return std::unique_ptr<OverlayImage>(new OverlayImage(std::move(base), std::move(fd)));
}

BlockStatus OverlayImage::read(u64 offset, std::span<u8> into) {
  if (!is_block_range(offset, into.size(), bytes())) {
    std::ranges::fill(into, u8{0});
    return BlockStatus::OutOfRange;
  }
  BlockStatus result = BlockStatus::Ok;
  while (!into.empty()) {
    bool in_overlay = false;
    const u64 run_bytes =
        written_.run(offset / kSectorBytes, into.size() / kSectorBytes, in_overlay) * kSectorBytes;
    const std::span<u8> part = into.first(run_bytes);
    BlockStatus status = BlockStatus::Ok;
    if (in_overlay) {
      const HostRead done = host_read(fd_.get(), offset, part);
      // Behind the file's end there are only discarded sectors.
      std::ranges::fill(part.subspan(done.bytes), u8{0});
      status = done.status;
    } else {
      status = base_->read(offset, part);
    }
    if (result == BlockStatus::Ok) result = status;
    into = into.subspan(run_bytes);
    offset += run_bytes;
  }
  return result;
}

BlockStatus OverlayImage::write(u64 offset, std::span<const u8> from) {
  if (!is_block_range(offset, from.size(), bytes())) return BlockStatus::OutOfRange;
  const BlockStatus status = host_write(fd_.get(), offset, from);
  // After an error the sectors hold, as on a real disk, either content; only the base's is certain.
  if (status == BlockStatus::Ok) written_.set(offset / kSectorBytes, from.size() / kSectorBytes);
  return status;
}

BlockStatus OverlayImage::discard(u64 offset, u64 bytes) {
  if (!is_block_range(offset, bytes, this->bytes())) return BlockStatus::OutOfRange;
  if (bytes == 0) return BlockStatus::Ok;
  const BlockStatus status = host_zero(fd_.get(), offset, bytes);
  if (status == BlockStatus::Ok) written_.set(offset / kSectorBytes, bytes / kSectorBytes);
  return status;
}

}  // namespace reprise::machine
