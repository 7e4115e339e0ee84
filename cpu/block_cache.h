// Decoded blocks, keyed by guest-physical address and ModeKey.
//
// A block is a straight run of instructions inside one page; an instruction that crosses into the next page is a
// block of its own. Blocks are found through a direct-mapped cache in front of a hash map. A store into a block
// (CodePages tells us) unlinks it at once; its memory stays until the engine next asks for a block, so the
// running block may overwrite itself.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "cpu/insn.h"
#include "cpu/mode.h"
#include "mmu/code_pages.h"

namespace reprise::cpu {

struct Block {
  static constexpr unsigned kMaxInsns = 48;

  u64 phys = 0;                     // of the first byte
  u64 second_phys = ~u64{0};        // of the second page, for an instruction that crosses pages
  ModeKey mode;
  u32 count = 0;
  u32 bytes = 0;
  std::unique_ptr<Insn[]> insns;

  // For an engine that translates: its code for the block, or nullptr; its own record; how often it asked for the block.
  const u8* native_code = nullptr;
  void* native = nullptr;
  u32 uses = 0;

  bool crosses_page() const { return second_phys != ~u64{0}; }
};

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

  Block* find(u64 phys, ModeKey mode) {
    Block* block = recent_[slot(phys, mode)];
    if (block != nullptr && block->phys == phys && block->mode == mode) [[likely]] return block;
    return find_slow(phys, mode);
  }
  /// Takes ownership and registers its bytes as code.
  Block* insert(std::unique_ptr<Block> block);
  void remove(Block* block);
  void flush();
  /// Frees blocks that were unlinked while one of them might have been running.
  void collect() {
    if (!graveyard_.empty()) graveyard_.clear();
  }

  void code_written(u64 phys, u64 bytes) override;

  u64 blocks() const { return count_; }
  u64 invalidations() const { return invalidations_; }

  // The direct-mapped front, shared with generated code: the slot of a block is the low bits of
  // phys ^ phys >> 16 ^ mode_hash(mode).
  static constexpr unsigned kSlots = 1u << 16;
  static constexpr u64 mode_hash(ModeKey mode) { return u64{mode.bits} * 0x9e3779b1u >> 8; }
  Block* const* slots() const { return recent_.data(); }

 private:
  /// Decoded instructions kept at most; beyond it the whole cache starts anew.
  static constexpr u64 kMaxCachedInsns = 4u << 20;

  static unsigned slot(u64 phys, ModeKey mode) {
    return static_cast<unsigned>((phys ^ (phys >> 16) ^ mode_hash(mode)) & (kSlots - 1));
  }
  Block* find_slow(u64 phys, ModeKey mode);
  void unlink(Block* block);

  mmu::CodePages& code_pages_;
  BlockListener* listener_ = nullptr;
  std::vector<Block*> recent_;
  // Page number -> blocks that touch the page.
  std::unordered_map<u64, std::vector<Block*>> pages_;
  std::unordered_map<Block*, std::unique_ptr<Block>> owned_;
  std::vector<std::unique_ptr<Block>> graveyard_;
  u64 count_ = 0;
  u64 cached_insns_ = 0;
  u64 invalidations_ = 0;
};

}  // namespace reprise::cpu
