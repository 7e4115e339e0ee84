// CountedImage: a medium whose accesses are counted, for people: the guest cannot see the counters. Requests that the host
// did not carry out are told of, and fail again in a run that is repeated.
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
  /// What became of it: of a read all that came, of a write or discard a bit for each sector that was written all the same.
  /// Without the zeros at its end.
  std::vector<u8> outcome = {};
  bool repeated = false;  // it failed in the run that is repeated
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
/// Asked before each request, of which it gets all but status and outcome: the error that it ended with; status Ok: none.
using DiskErrorSource = std::function<DiskError(DiskError request)>;
struct DiskErrors {
  DiskErrorListener told = {};
  DiskErrorSource repeated = {};  // empty: none is
};

class CountedImage final : public devices::BlockBackend {
 public:
  /// `counters` and `errors` outlive this.
  CountedImage(std::unique_ptr<devices::BlockBackend> image, DiskCounters& counters, std::string drive,
               const DiskErrors& errors)
      : image_(std::move(image)), counters_(counters), drive_(std::move(drive)), errors_(errors) {}

  u64 bytes() const override { return image_->bytes(); }
  bool read_only() const override { return image_->read_only(); }
  devices::BlockGenerations* generations() override { return image_->generations(); }
  devices::BlockStatus read(u64 offset, std::span<u8> into) override;
  devices::BlockStatus write(u64 offset, std::span<const u8> from) override;
  devices::BlockStatus flush() override;
  devices::BlockStatus discard(u64 offset, u64 bytes) override;

 private:
  using Status = devices::BlockStatus;
  DiskError request(std::string_view what, u64 offset, u64 bytes) const {
    return {.drive = drive_, .what = what, .offset = offset, .bytes = bytes};
  }
  /// The request failed in the run that is repeated.
  bool fails_again(DiskError& error) const;
  /// Counts `error`, and tells of it unless it follows from the request and the medium.
  Status failed(DiskError error);
  bool is_hosts(Status status) const;
  /// A bit for each sector of a write of `from`, or of a discard (empty), that was carried out.
  std::vector<u8> carried_out(u64 offset, u64 bytes, std::span<const u8> from);

  std::unique_ptr<devices::BlockBackend> image_;
  DiskCounters& counters_;
  const std::string drive_;
  const DiskErrors& errors_;
};

}  // namespace reprise::machine
