// Decoded blocks, keyed by guest-physical address and ModeKey.
//
// A block is a straight run of instructions inside one page; an instruction that crosses into the next page
// is a block of its own. Blocks are found through a hash table that grows with them, and by page through
// lists for each 64-byte line of it. A store into a block (CodePages tells us) unlinks it at once; its memory
// stays until the engine next asks for a block, so the running block may overwrite itself. In pages where
// that happens, blocks are kept for the case that their bytes come back (dormant_blocks.h). When memory for
// blocks is full those that were decoded first go.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "common/bits.h"
#include "cpu/blocks/block_pool.h"
#include "cpu/blocks/dormant_blocks.h"
#include "mmu/code_pages.h"

namespace reprise::cpu {

/// Told of each block that must not run again, at once; the block itself is freed by the next collect().
class BlockListener {
 public:
  virtual ~BlockListener() = default;
  virtual void block_removed(Block& block) = 0;
  /// The same, but it may come back as it is; block_removed() follows when it does not.
  virtual void block_suspended(Block& block) = 0;
};

class BlockCache final : public mmu::CodeListener {
 public:
  /// Memory for blocks, at most.
  static constexpr u64 kMaxBytes = u64{320} << 20;
  explicit BlockCache(mmu::CodePages& code_pages, u64 max_bytes = kMaxBytes);

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
    if (removed_ != nullptr) [[unlikely]]
      free_removed();
  }

  bool code_written(u64 phys, u64 bytes) override;
  void mark_code(u64 phys_page, mmu::CodeBytes& into) const override;

  /// The block that was at `phys` when memory was there as it is now, `bytes` (up to the end of the page),
  /// inserted again; or nullptr.
  Block* revive(u64 phys, ModeKey mode, std::span<const u8> bytes);
  /// Keeps `bytes`, of which `block`, in the cache now, was made, if the page is one that is written.
  void remember(Block* block, std::span<const u8> bytes);

  u64 blocks() const { return count_; }
  /// Of memory that they take.
  u64 bytes() const { return cached_bytes_; }
  u64 invalidations() const { return invalidations_; }
  u64 revivals() const { return revivals_; }

 private:
  /// Into so many parts the memory is divided by the time of insertion.
  static constexpr u64 kGenerations = 8;
  static constexpr u64 kFirstBuckets = 1u << 14;

  /// The blocks in a page, by the line of their first byte there.
  using PageBlocks = std::array<Block*, kPageBytes / 64>;
  // Those in 2 MiB of guest-physical memory.
  static constexpr unsigned kChunkShift = 21;
  using Chunk = std::array<std::unique_ptr<PageBlocks>, (u64{1} << kChunkShift) / kPageBytes>;

  /// Neighbours in memory are neighbours here: code that runs together shares host cache lines.
  u64 bucket(u64 phys, ModeKey mode) const {
    constexpr u64 kGolden = 0x9e37'79b1;
    constexpr unsigned kGrainShift = 3;  // few blocks begin so near to each other
    return ((phys >> kGrainShift) + (phys >> kPageShift) * kGolden + (u64{mode.bits} * kGolden >> 8)) &
           (buckets_.size() - 1);
  }
  /// nullptr if the page never had code.
  PageBlocks* page_of(u64 phys) const;
  PageBlocks& page_for(u64 phys);
  void grow();
  void link(Block* block, unsigned which, u64 phys);
  void unlink(Block* block);
  void bury(Block* block);
  /// Unlinks a block whose bytes are written, and keeps it.
  void suspend(Block* block);
  void free_removed();
  void drop_oldest();
  static u64 bytes_of(const Block& block) { return sizeof(Block) + block.count * sizeof(Insn); }

  mmu::CodePages& code_pages_;
  const u64 max_bytes_;
  BlockListener* listener_ = nullptr;
  BlockPool pool_;
  std::vector<Block*> buckets_;  // a power of two, at least twice the blocks
  std::vector<std::unique_ptr<Chunk>> chunks_;
  DormantBlocks dormant_;
  Block* removed_ = nullptr;
  u64 count_ = 0;
  u64 cached_bytes_ = 0;
  u16 generation_ = 0;        // of new blocks
  u64 generation_bytes_ = 0;  // inserted in this one
  u64 invalidations_ = 0;
  u64 revivals_ = 0;
};

}  // namespace reprise::cpu
