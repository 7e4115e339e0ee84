// A disk in memory that counts what is done to it and fails when told to.
#pragma once

#include <algorithm>
#include <vector>

#include "devices/backend.h"

namespace reprise::devices::testing {

class FakeDisk final : public BlockBackend {
 public:
  explicit FakeDisk(std::size_t size) : content(size) {}

  u64 bytes() const override { return content.size(); }
  bool read_only() const override { return is_read_only; }
  BlockStatus read(u64 offset, std::span<u8> into) override {
    ++reads;
    std::fill(into.begin(), into.end(), u8{0});
    if (!within(offset, into.size())) return BlockStatus::OutOfRange;
    if (fail_read) return BlockStatus::ReadError;
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return BlockStatus::Ok;
  }
  BlockStatus write(u64 offset, std::span<const u8> from) override {
    ++writes;
    if (!within(offset, from.size())) return BlockStatus::OutOfRange;
    if (is_read_only) return BlockStatus::ReadOnly;
    if (fail_write) return BlockStatus::WriteError;
    std::copy(from.begin(), from.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
    return BlockStatus::Ok;
  }
  BlockStatus flush() override {
    ++flushes;
    return fail_flush ? BlockStatus::WriteError : BlockStatus::Ok;
  }
  BlockStatus discard(u64 offset, u64 count) override {
    ++discards;
    if (!within(offset, count)) return BlockStatus::OutOfRange;
    std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(offset), count, u8{0});
    return BlockStatus::Ok;
  }

  std::vector<u8> content;
  bool is_read_only = false;
  bool fail_read = false;
  bool fail_write = false;
  bool fail_flush = false;
  unsigned reads = 0;
  unsigned writes = 0;
  unsigned flushes = 0;
  unsigned discards = 0;

 private:
  bool within(u64 offset, u64 count) const {
    const bool aligned = offset % kSectorBytes == 0 && count % kSectorBytes == 0;
    return aligned && count <= content.size() && offset <= content.size() - count;
  }
};

}  // namespace reprise::devices::testing
