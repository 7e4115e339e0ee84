#include "machine/storage/raw_image.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "machine/storage/image_probe.h"

namespace reprise::machine {

using devices::BlockStatus;

bool is_block_range(u64 offset, u64 bytes, u64 content_bytes) {
  constexpr u64 kMask = devices::BlockBackend::kSectorBytes - 1;
  return ((offset | bytes) & kMask) == 0 && offset <= content_bytes && bytes <= content_bytes - offset;
}

RawImage::RawImage(HostFd fd, u64 file_bytes, u64 multiple_bytes, Access access, FirstSector first_sector)
    : fd_(std::move(fd)),
      file_bytes_(file_bytes),
      bytes_((file_bytes + multiple_bytes - 1) / multiple_bytes * multiple_bytes),
      access_(access),
      first_sector_(first_sector) {}

BlockStatus RawImage::read(u64 offset, std::span<u8> into) {
  if (!is_block_range(offset, into.size(), bytes_)) {
    std::ranges::fill(into, u8{0});
    return BlockStatus::OutOfRange;
  }
  const HostRead done = host_read(fd_.get(), offset, into);
  std::ranges::fill(into.subspan(done.bytes), u8{0});
  if (done.status != BlockStatus::Ok) return done.status;
  // The file may have shrunk; behind its size at opening there is padding.
  const u64 due_bytes = offset >= file_bytes_ ? 0 : std::min<u64>(into.size(), file_bytes_ - offset);
  return done.bytes < due_bytes ? BlockStatus::ReadError : BlockStatus::Ok;
}

BlockStatus RawImage::check_write(u64 offset, u64 bytes) const {
  if (!is_block_range(offset, bytes, bytes_)) return BlockStatus::OutOfRange;
  return read_only() ? BlockStatus::ReadOnly : BlockStatus::Ok;
}

BlockStatus RawImage::write(u64 offset, std::span<const u8> from) {
  BlockStatus status = check_write(offset, from.size());
  if (status != BlockStatus::Ok) return status;
  if (offset == 0 && !from.empty() && first_sector_ == FirstSector::Guarded &&
      is_disk_format(probe_image(from.first(kSectorBytes))))
    return BlockStatus::Refused;
  status = host_write(fd_.get(), offset, from);
  if (status == BlockStatus::Ok) file_bytes_ = std::max(file_bytes_, offset + from.size());
  return status;
}

BlockStatus RawImage::flush() {
  if (read_only()) return BlockStatus::Ok;
  while (fdatasync(fd_.get()) != 0) {
    if (errno != EINTR) return write_status_of(errno);
  }
  return BlockStatus::Ok;
}

BlockStatus RawImage::discard(u64 offset, u64 bytes) {
  const BlockStatus status = check_write(offset, bytes);
  if (status != BlockStatus::Ok || offset >= file_bytes_ || bytes == 0) return status;
  return host_zero(fd_.get(), offset, std::min(bytes, file_bytes_ - offset));
}

}  // namespace reprise::machine
