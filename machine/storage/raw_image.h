// A raw image: the file's bytes, or a block device's, are the disk's.
#pragma once

#include <memory>
#include <string>

#include "common/result.h"
#include "devices/backend.h"
#include "machine/storage/host_fd.h"

namespace reprise::machine {

class RawImage final : public devices::BlockBackend {
 public:
  enum class Access : u8 { ReadOnly, ReadWrite };
  /// Guarded: the guest may not write a first sector by which the image would be taken for another disk format the
  /// next time it is opened (BlockStatus::Refused).
  enum class FirstSector : u8 { Guarded, Free };

  /// `fd` is open and locked, `file_bytes` its size; what the last `multiple_bytes` lack reads as zeros.
  RawImage(HostFd fd, u64 file_bytes, u64 multiple_bytes, Access access, FirstSector first_sector);

  u64 bytes() const override { return bytes_; }
  bool read_only() const override { return access_ == Access::ReadOnly; }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override;
  devices::BlockStatus write(u64 offset, std::span<const u8> from) override;
  devices::BlockStatus flush() override;
  devices::BlockStatus discard(u64 offset, u64 bytes) override;

 private:
  devices::BlockStatus check_write(u64 offset, u64 bytes) const;

  HostFd fd_;
  u64 file_bytes_;
  const u64 bytes_;
  const Access access_;
  const FirstSector first_sector_;
};

/// True when [offset, offset + bytes) lies in a content of `content_bytes` and is aligned as BlockBackend
/// says.
bool is_block_range(u64 offset, u64 bytes, u64 content_bytes);

}  // namespace reprise::machine
