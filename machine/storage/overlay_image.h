// Writes of a run over a base that is never written: they go to a file without a name, at the offsets of the
// disk, and are gone with the run. The file is sparse, so it takes only what the guest writes; it cannot
// outlive the process.
#pragma once

#include <memory>

#include "common/result.h"
#include "devices/backend.h"
#include "machine/storage/host_fd.h"
#include "machine/storage/sector_map.h"

namespace reprise::machine {

class OverlayImage final : public devices::BlockBackend {
 public:
  /// The overlay's file lies in TMPDIR.
  static Result<std::unique_ptr<OverlayImage>> create(std::unique_ptr<devices::BlockBackend> base);

  u64 bytes() const override { return base_->bytes(); }
  bool read_only() const override { return false; }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override;
  devices::BlockStatus write(u64 offset, std::span<const u8> from) override;
  devices::BlockStatus flush() override { return devices::BlockStatus::Ok; }
  devices::BlockStatus discard(u64 offset, u64 bytes) override;

 private:
  OverlayImage(std::unique_ptr<devices::BlockBackend> base, HostFd fd)
      : base_(std::move(base)), fd_(std::move(fd)) {}

  std::unique_ptr<devices::BlockBackend> base_;
  HostFd fd_;
  SectorMap written_;
};

}  // namespace reprise::machine
