// Blocks whose bytes were overwritten, kept for the case that the same bytes come back: boot loaders and
// kernels patch operands of the same few instructions again and again.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "cpu/blocks/block_pool.h"

namespace reprise::cpu {

class DormantBlocks {
 public:
  /// Keeps a copy of the bytes that `block` was made of: one that has none cannot be put here.
  void remember(Block* block, std::span<const u8> bytes) {
    block->remembered = true;
    bytes_[block].assign(bytes.begin(), bytes.end());
  }
  bool remembers(const Block& block) const { return block.remembered; }
  void forget(Block& block) {
    if (!block.remembered) return;
    block.remembered = false;
    bytes_.erase(&block);
  }

  /// Keeps `block`, and calls `give_up(Block*)` for each that has to make room for it.
  template <class GiveUp>
  void put(Block* block, GiveUp give_up) {
    // Places stay when their versions are taken: the guest must not make ever more of them.
    if (count_ == kMaxBlocks || places_.size() == kMaxPlaces) clear(give_up);
    std::vector<Block*>& versions = places_[key(block->phys, block->mode)];
    if (versions.size() == kMaxVersions) {
      Block* const oldest = versions.front();
      versions.erase(versions.begin());
      --count_;
      give_up(oldest);
    }
    versions.push_back(block);
    ++count_;
  }
  /// One that began at `phys` in `mode` and was made of what `bytes` begin with; it is not kept any more.
  /// nullptr: none.
  Block* take(u64 phys, ModeKey mode, std::span<const u8> bytes);
  template <class GiveUp>
  void clear(GiveUp give_up) {
    for (const auto& [place, versions] : places_)
      for (Block* block : versions) give_up(block);
    places_.clear();
    count_ = 0;
  }

 private:
  static constexpr std::size_t kMaxBlocks = 4096;
  static constexpr std::size_t kMaxPlaces = 16384;
  static constexpr std::size_t kMaxVersions = 16;  // of one place

  static u64 key(u64 phys, ModeKey mode) { return phys << 22 ^ mode.bits; }

  std::unordered_map<u64, std::vector<Block*>> places_;  // oldest first
  std::unordered_map<const Block*, std::vector<u8>> bytes_;
  std::size_t count_ = 0;
};

}  // namespace reprise::cpu
