// Memory for decoded blocks: a block and its instructions in one piece, from chunks of one huge page.
//
// Pieces that were given back serve blocks of the same length again; chunks stay until the pool goes.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "cpu/core/insn.h"
#include "cpu/state/mode.h"

namespace reprise::cpu {

/// The instructions of a block; they follow it in memory.
class BlockInsns {
 public:
  explicit BlockInsns(Insn* first) : first_(first) {}
  Insn* get() const { return first_; }
  Insn& operator[](std::size_t index) const { return first_[index]; }

 private:
  Insn* first_;
};

struct Block {
  static constexpr unsigned kMaxInsns = 48;

  Block(Insn* first, u32 insn_count) : count(insn_count), insns(first) {}
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  u64 phys = 0;  // of the first byte
  ModeKey mode;
  u32 count;
  Block* next = nullptr;      // BlockCache: in its bucket, or among the removed; BlockPool: among the free
  u64 second_phys = ~u64{0};  // of the second page, for an instruction that crosses pages
  u32 uses = 0;               // for an engine that translates: how often it asked for the block
  u32 bytes = 0;
  // For an engine that translates: its code for the block, or nullptr; its own record.
  const u8* native_code = nullptr;
  void* native = nullptr;

  BlockInsns insns;
  bool remembered = false;  // DormantBlocks has a copy of its bytes
  u16 generation = 0;       // BlockCache: when it was inserted

  // In BlockCache's list of the page that holds the first byte, and in that of the second page.
  struct PageLink {
    Block* next = nullptr;
    Block** at = nullptr;  // what points here; nullptr: not in a list
  };
  PageLink page_link[2];

  bool crosses_page() const { return second_phys != ~u64{0}; }
};

class BlockPool {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// A new block with room for `count` (1 to Block::kMaxInsns) instructions, none of them filled in.
  Block* make(u32 count);
  void give_back(Block* block);

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{2} << 20;
  struct FreeChunk {
    void operator()(u8* chunk) const;
  };
  u8* take(std::size_t bytes);

  std::vector<std::unique_ptr<u8, FreeChunk>> chunks_;
  std::size_t used_bytes_ = kChunkBytes;             // of the last chunk
  std::array<Block*, Block::kMaxInsns + 1> free_{};  // by count
};

}  // namespace reprise::cpu
