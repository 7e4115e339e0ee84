// CountedImage: a medium whose accesses are counted, for people. The guest cannot see the counters.
#pragma once

#include <memory>

#include "devices/backend.h"

namespace reprise::machine {

/// Accesses of a drive to its images. A large request of the guest's may take several.
struct DiskCounters {
  u64 reads = 0;
  u64 bytes_read = 0;
  u64 writes = 0;
  u64 bytes_written = 0;
  u64 flushes = 0;
  u64 discards = 0;
  u64 bytes_discarded = 0;
  u64 errors = 0;  // of any of them
};

class CountedImage final : public devices::BlockBackend {
 public:
  /// `counters` outlives this.
  CountedImage(std::unique_ptr<devices::BlockBackend> image, DiskCounters& counters)
      : image_(std::move(image)), counters_(counters) {}

  u64 bytes() const override { return image_->bytes(); }
  bool read_only() const override { return image_->read_only(); }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override {
    ++counters_.reads;
    counters_.bytes_read += into.size();
    return counted(image_->read(offset, into));
  }
  devices::BlockStatus write(u64 offset, std::span<const u8> from) override {
    ++counters_.writes;
    counters_.bytes_written += from.size();
    return counted(image_->write(offset, from));
  }
  devices::BlockStatus flush() override {
    ++counters_.flushes;
    return counted(image_->flush());
  }
  devices::BlockStatus discard(u64 offset, u64 bytes) override {
    ++counters_.discards;
    counters_.bytes_discarded += bytes;
    return counted(image_->discard(offset, bytes));
  }

 private:
  devices::BlockStatus counted(devices::BlockStatus status) {
    if (status != devices::BlockStatus::Ok) ++counters_.errors;
    return status;
  }

  std::unique_ptr<devices::BlockBackend> image_;
  DiskCounters& counters_;
};

}  // namespace reprise::machine
