// CountedImage: a medium whose accesses are counted, for people: the guest cannot see the counters. Errors of the host,
// which it can see, are told of.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

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

/// Told of each answer of the host's that a drive could not have known: what it asked, and the error it got.
using HostErrorListener =
    std::function<void(std::string_view drive, std::string question, devices::BlockStatus answer)>;

class CountedImage final : public devices::BlockBackend {
 public:
  /// `counters` and `on_host_error` outlive this.
  CountedImage(std::unique_ptr<devices::BlockBackend> image, DiskCounters& counters, std::string drive,
               const HostErrorListener& on_host_error)
      : image_(std::move(image)),
        counters_(counters),
        drive_(std::move(drive)),
        on_host_error_(on_host_error) {}

  u64 bytes() const override { return image_->bytes(); }
  bool read_only() const override { return image_->read_only(); }
  devices::BlockGenerations* generations() override { return image_->generations(); }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override {
    ++counters_.reads;
    counters_.bytes_read += into.size();
    return counted(image_->read(offset, into), "read", offset, into.size());
  }
  devices::BlockStatus write(u64 offset, std::span<const u8> from) override {
    ++counters_.writes;
    counters_.bytes_written += from.size();
    return counted(image_->write(offset, from), "write", offset, from.size());
  }
  devices::BlockStatus flush() override {
    ++counters_.flushes;
    return counted(image_->flush(), "flush", 0, 0);
  }
  devices::BlockStatus discard(u64 offset, u64 bytes) override {
    ++counters_.discards;
    counters_.bytes_discarded += bytes;
    return counted(image_->discard(offset, bytes), "discard", offset, bytes);
  }

 private:
  devices::BlockStatus counted(devices::BlockStatus status, std::string_view what, u64 offset, u64 bytes) {
    using devices::BlockStatus;
    if (status == BlockStatus::Ok) return status;
    ++counters_.errors;
    // The others follow from the request and the image.
    const bool of_host = status == BlockStatus::ReadError || status == BlockStatus::WriteError ||
                         status == BlockStatus::NoSpace;
    if (of_host && on_host_error_)
      on_host_error_(drive_, fmt::format("{} {} at {}", what, bytes, offset), status);
    return status;
  }

  std::unique_ptr<devices::BlockBackend> image_;
  DiskCounters& counters_;
  const std::string drive_;
  const HostErrorListener& on_host_error_;
};

}  // namespace reprise::machine
