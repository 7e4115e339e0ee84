// CountedImage: a medium whose accesses are counted, for people: the guest cannot see the counters. Requests that the host
// did not carry out are told of.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "devices/backend.h"

namespace reprise::machine {

/// A request of a drive's that failed although the drive did nothing wrong.
struct DiskError {
  std::string_view drive;  // "disk0"
  std::string_view what;   // "read", "write", "flush", "discard"
  u64 offset = 0;
  u64 bytes = 0;
  devices::BlockStatus status = devices::BlockStatus::Ok;
  bool first = false;  // of this kind at this drive
};

/// The same by kind, for a report.
struct DiskProblem {
  std::string what;
  devices::BlockStatus status = devices::BlockStatus::Ok;
  u64 times = 0;
  u64 first_offset = 0;
};

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
  std::vector<DiskProblem> problems = {};
};

/// Told of each.
using DiskErrorListener = std::function<void(const DiskError& error)>;

class CountedImage final : public devices::BlockBackend {
 public:
  /// `counters` and `on_error` outlive this.
  CountedImage(std::unique_ptr<devices::BlockBackend> image, DiskCounters& counters, std::string drive,
               const DiskErrorListener& on_error)
      : image_(std::move(image)), counters_(counters), drive_(std::move(drive)), on_error_(on_error) {}

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
    // These follow from the request and the medium: the drive asked for what cannot be.
    if (status == BlockStatus::OutOfRange || (status == BlockStatus::ReadOnly && image_->read_only()))
      return status;
    const auto known = std::ranges::find_if(counters_.problems, [&](const DiskProblem& problem) {
      return problem.what == what && problem.status == status;
    });
    const bool first = known == counters_.problems.end();
    if (first)
      counters_.problems.push_back({std::string(what), status, 1, offset});
    else
      ++known->times;
    if (on_error_) on_error_({drive_, what, offset, bytes, status, first});
    return status;
  }

  std::unique_ptr<devices::BlockBackend> image_;
  DiskCounters& counters_;
  const std::string drive_;
  const DiskErrorListener& on_error_;
};

}  // namespace reprise::machine
