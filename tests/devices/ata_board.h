// What storage tests stand on: a medium that can fail, and guest memory for bus masters.
#pragma once

#include <map>
#include <numeric>

#include "tests/devices/test_board.h"

namespace reprise::devices::testing {

/// A medium in memory. Sectors can be made to fail; calls are counted.
class MemoryMedium final : public BlockBackend {
 public:
  explicit MemoryMedium(u64 sectors) : content(sectors * kSectorBytes) {}

  u64 bytes() const override { return content.size(); }
  bool read_only() const override { return is_read_only; }
  BlockStatus read(u64 offset, std::span<u8> into) override {
    std::ranges::fill(into, u8{0});
    if (!inside(offset, into.size())) return BlockStatus::OutOfRange;
    ++reads;
    if (const BlockStatus status = failure(bad_reads, offset, into.size()); status != BlockStatus::Ok)
      return status;
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return BlockStatus::Ok;
  }
  BlockStatus write(u64 offset, std::span<const u8> from) override {
    if (is_read_only) return BlockStatus::ReadOnly;
    if (!inside(offset, from.size())) return BlockStatus::OutOfRange;
    ++writes;
    if (const BlockStatus status = failure(bad_writes, offset, from.size()); status != BlockStatus::Ok)
      return status;
    std::ranges::copy(from, content.begin() + static_cast<std::ptrdiff_t>(offset));
    return BlockStatus::Ok;
  }
  BlockStatus flush() override {
    ++flushes;
    return flush_status;
  }
  BlockStatus discard(u64 offset, u64 count) override {
    if (!inside(offset, count)) return BlockStatus::OutOfRange;
    std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(offset), count, u8{0});
    ++discards;
    return BlockStatus::Ok;
  }

  /// Each sector starts with its number, and every byte differs from sector to sector.
  void number_sectors() {
    for (u64 sector = 0; sector < content.size() / kSectorBytes; ++sector) {
      for (u64 i = 0; i < kSectorBytes; ++i)
        content[sector * kSectorBytes + i] = static_cast<u8>(sector * 7 + i * 3 + sector / 256);
    }
  }
  std::vector<u8> sectors(u64 first, u64 count) const {
    const auto begin = content.begin() + static_cast<std::ptrdiff_t>(first * kSectorBytes);
    return {begin, begin + static_cast<std::ptrdiff_t>(count * kSectorBytes)};
  }

  std::vector<u8> content;
  bool is_read_only = false;
  BlockStatus flush_status = BlockStatus::Ok;
  std::map<u64, BlockStatus> bad_reads, bad_writes;  // by sector
  int reads = 0, writes = 0, flushes = 0, discards = 0;

 private:
  bool inside(u64 offset, u64 count) const {
    EXPECT_EQ(offset % kSectorBytes, 0u);
    EXPECT_EQ(count % kSectorBytes, 0u);
    return offset <= content.size() && count <= content.size() - offset;
  }
  static BlockStatus failure(const std::map<u64, BlockStatus>& bad, u64 offset, u64 count) {
    const auto first = bad.lower_bound(offset / kSectorBytes);
    return first != bad.end() && first->first < (offset + count) / kSectorBytes ? first->second
                                                                                : BlockStatus::Ok;
  }
};

/// Guest memory from physical 0 on.
class FakeMemory final : public DmaPort {
 public:
  explicit FakeMemory(u64 bytes) : ram(bytes) {}
  bool dma_read(u64 phys, std::span<u8> into) override {
    bool all = true;
    for (std::size_t i = 0; i < into.size(); ++i) {
      const bool there = phys < ram.size() && i < ram.size() - phys;
      into[i] = there ? ram[phys + i] : u8{0xff};
      all = all && there;
    }
    return all;
  }
  bool dma_write(u64 phys, std::span<const u8> from) override {
    bool all = true;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (phys < ram.size() && i < ram.size() - phys)
        ram[phys + i] = from[i];
      else
        all = false;
    }
    return all;
  }
  template <class T>
  void put(u64 phys, T value) {
    std::memcpy(&ram.at(phys), &value, sizeof value);
  }
  template <class T>
  T get(u64 phys) const {
    T value;
    std::memcpy(&value, &ram.at(phys), sizeof value);
    return value;
  }
  std::vector<u8> bytes(u64 phys, u64 count) const {
    const auto begin = ram.begin() + static_cast<std::ptrdiff_t>(phys);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }
  std::vector<u8> ram;
};

}  // namespace reprise::devices::testing
