#include "cpu/blocks/block_pool.h"

#include <sys/mman.h>

#include <new>
#include <type_traits>

#include "common/bits.h"
#include "common/check.h"

namespace reprise::cpu {
namespace {

// Blocks begin on their own host cache line.
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kInsnsOffset = align_up(sizeof(Block), alignof(Insn));
static_assert(std::is_trivially_destructible_v<Block> && std::is_trivially_destructible_v<Insn>);

constexpr std::size_t bytes_for(u32 count) {
  return align_up(kInsnsOffset + count * sizeof(Insn), kAlignment);
}

}  // namespace

void BlockPool::FreeChunk::operator()(u8* chunk) const {
  ::operator delete (chunk, std::align_val_t{kChunkBytes});
}

u8* BlockPool::take(std::size_t bytes) {
  if (kChunkBytes - used_bytes_ < bytes) {
    chunks_.emplace_back(static_cast<u8*>(::operator new (kChunkBytes, std::align_val_t{kChunkBytes})));
#ifdef MADV_HUGEPAGE
    // Advice only: a host without huge pages runs the same, slower.
    (void)madvise(chunks_.back().get(), kChunkBytes, MADV_HUGEPAGE);
#endif
    used_bytes_ = 0;
  }
  u8* const piece = chunks_.back().get() + used_bytes_;
  used_bytes_ += bytes;
  return piece;
}

Block* BlockPool::make(u32 count) {
  CHECK(count >= 1 && count <= Block::kMaxInsns);
  u8* piece;
  if (Block* const free = free_[count]) {
    free_[count] = free->next;
    piece = reinterpret_cast<u8*>(free);
  } else {
    piece = take(bytes_for(count));
  }
  Insn* const insns = new (piece + kInsnsOffset) Insn[count];
  return new (piece) Block(insns, count);
}

void BlockPool::give_back(Block* block) {
  block->next = free_[block->count];
  free_[block->count] = block;
}

}  // namespace reprise::cpu
