// A disk in memory with sectors that cannot be read or written. It notes when a device asks for what the
// interface forbids.
#pragma once

#include <algorithm>
#include <vector>

#include "devices/backend.h"

namespace reprise::noise {

class Medium final : public devices::BlockBackend {
 public:
  using Status = devices::BlockStatus;

  Medium(u64 sectors, bool read_only) : content_(sectors * kSectorBytes), read_only_(read_only) {
    for (u64 i = 0; i < content_.size(); ++i) content_[i] = static_cast<u8>(i / kSectorBytes * 7 + i * 3);
  }

  u64 bytes() const override { return content_.size(); }
  bool read_only() const override { return read_only_; }
  Status read(u64 offset, std::span<u8> into) override {
    std::ranges::fill(into, u8{0});
    if (!within(offset, into.size())) return Status::OutOfRange;
    if (touches(kUnreadable, offset, into.size())) return Status::ReadError;
    std::copy_n(&content_[offset], into.size(), into.begin());
    return Status::Ok;
  }
  Status write(u64 offset, std::span<const u8> from) override {
    if (read_only_) return Status::ReadOnly;
    if (!within(offset, from.size())) return Status::OutOfRange;
    if (touches(kUnwritable, offset, from.size())) return Status::NoSpace;
    std::ranges::copy(from, &content_[offset]);
    return Status::Ok;
  }
  Status flush() override { return ++flushes_ % 50 == 0 ? Status::WriteError : Status::Ok; }
  Status discard(u64 offset, u64 count) override {
    if (read_only_) return Status::ReadOnly;
    if (!within(offset, count)) return Status::OutOfRange;
    std::fill_n(&content_[offset], count, u8{0});
    return Status::Ok;
  }

  std::span<const u8> content() const { return content_; }
  /// A device asked for a range that is not made of sectors.
  bool misused() const { return misused_; }

 private:
  static constexpr u64 kUnreadable = 5;
  static constexpr u64 kUnwritable = 9;

  bool within(u64 offset, u64 count) {
    misused_ |= offset % kSectorBytes != 0 || count % kSectorBytes != 0;
    return !misused_ && count != 0 && count <= content_.size() && offset <= content_.size() - count;
  }
  static bool touches(u64 sector, u64 offset, u64 count) {
    return offset <= sector * kSectorBytes && sector * kSectorBytes < offset + count;
  }

  std::vector<u8> content_;
  const bool read_only_;
  u64 flushes_ = 0;
  bool misused_ = false;
};

}  // namespace reprise::noise
