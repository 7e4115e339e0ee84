// Decoded blocks, keyed by guest-physical address and ModeKey.
//
// A block is a straight run of instructions inside one page; an instruction that crosses into the next page is a
// block of its own. Blocks are found through a hash table that grows with them, and by page through a list for each
// page. A store into a block (CodePages tells us) unlinks it at once; its memory stays until the engine next asks for
// a block, so the running block may overwrite itself. Firmware and boot loaders keep stacks and variables close to
// their code: pages that are written have a map of the bytes that are code.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "common/bits.h"
#include "cpu/block_pool.h"
#include "mmu/code_pages.h"

namespace reprise::cpu {

/// Told of each block that must not run again, at once; the block itself is freed by the next collect().
class BlockListener {
 public:
  virtual ~BlockListener() = default;
  virtual void block_removed(Block& block) = 0;
};

class BlockCache final : public mmu::CodeListener {
 public:
  explicit BlockCache(mmu::CodePages& code_pages);

  /// At most one; outlives the cache's use.
  void set_listener(BlockListener& listener) { listener_ = &listener; }

  Block* find(u64 phys, ModeKey mode) const {
    Block* block = buckets_[bucket(phys, mode)];
    while (block != nullptr && (block->phys != phys || !(block->mode == mode))) block = block->next;
    return block;
  }
  /// A block to fill in and insert.
  Block* make(u32 insns) { return pool_.make(insns); }
  /// Takes a block from make() and registers its bytes as code.
  Block* insert(Block* block);
  void remove(Block* block);
  void flush();
  /// Frees blocks that were unlinked while one of them might have been running.
  void collect() {
    if (removed_ != nullptr) [[unlikely]] free_removed();
  }

  bool code_written(u64 phys, u64 bytes) override;

  u64 blocks() const { return count_; }
  u64 invalidations() const { return invalidations_; }

 private:
  /// Decoded instructions kept at most; beyond it the whole cache starts anew.
  static constexpr u64 kMaxCachedInsns = 4u << 20;
  static constexpr u64 kFirstBuckets = 1u << 14;

  /// A bit for each byte of a page: set where it may be code, clear where it is not.
  class CodeBytes {
   public:
    /// `count` bytes from `first` on, which lie in the page; at least one.
    void set(u64 first, u64 count) {
      for_words(first, count, [](u64& word, u64 mask) { word |= mask; });
    }
    bool any(u64 first, u64 count) {
      u64 found = 0;
      for_words(first, count, [&](const u64& word, u64 mask) { found |= word & mask; });
      return found != 0;
    }
    void clear() { words_ = {}; }

   private:
    template <class Visit>
    void for_words(u64 first, u64 count, Visit visit) {
      for (const u64 end = first + count; first < end;) {
        const u64 in_word = std::min<u64>(end - first, 64 - first % 64);
        visit(words_[first / 64], field(~u64{0}, 0, static_cast<unsigned>(in_word)) << first % 64);
        first += in_word;
      }
    }
    std::array<u64, kPageBytes / 64> words_{};
  };
  struct Page {
    Block* first = nullptr;
    std::unique_ptr<CodeBytes> code;  // from the first store into a line with code on
  };
  // The pages in 2 MiB of guest-physical memory.
  static constexpr unsigned kChunkShift = 21;
  using Chunk = std::array<Page, (u64{1} << kChunkShift) / kPageBytes>;

  /// Neighbours in memory are neighbours here: code that runs together shares host cache lines.
  u64 bucket(u64 phys, ModeKey mode) const {
    constexpr u64 kGolden = 0x9e37'79b1;
    return (phys + (phys >> kPageShift) * kGolden + (u64{mode.bits} * kGolden >> 8)) & (buckets_.size() - 1);
  }
  /// nullptr if the page never had code.
  Page* page_of(u64 phys);
  Page& page_for(u64 phys);
  void grow();
  void link(Block* block, unsigned which, u64 phys);
  void unlink(Block* block);
  void bury(Block* block);
  void free_removed();

  mmu::CodePages& code_pages_;
  BlockListener* listener_ = nullptr;
  BlockPool pool_;
  std::vector<Block*> buckets_;  // a power of two, at least twice the blocks
  std::vector<std::unique_ptr<Chunk>> chunks_;
  Block* removed_ = nullptr;
  u64 count_ = 0;
  u64 cached_insns_ = 0;
  u64 invalidations_ = 0;
};

}  // namespace reprise::cpu
