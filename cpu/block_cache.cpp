#include "cpu/block_cache.h"

#include <algorithm>

#include "common/bits.h"

namespace reprise::cpu {

BlockCache::BlockCache(mmu::CodePages& code_pages) : code_pages_(code_pages), recent_(kSlots, nullptr) {
  code_pages.add_listener(*this);
}

Block* BlockCache::find_slow(u64 phys, ModeKey mode) {
  const auto page = pages_.find(phys >> kPageShift);
  if (page == pages_.end()) return nullptr;
  for (Block* block : page->second) {
    if (block->phys == phys && block->mode == mode) {
      recent_[slot(phys, mode)] = block;
      return block;
    }
  }
  return nullptr;
}

Block* BlockCache::insert(std::unique_ptr<Block> owned) {
  if (cached_insns_ + owned->count > kMaxCachedInsns) flush();
  Block* block = owned.get();
  cached_insns_ += block->count;
  ++count_;
  const u64 room = kPageBytes - (block->phys & ~kPageMask);
  const u64 first_bytes = std::min<u64>(block->bytes, room);
  pages_[block->phys >> kPageShift].push_back(block);
  code_pages_.add_code(block->phys, first_bytes);
  if (block->crosses_page()) {
    pages_[block->second_phys >> kPageShift].push_back(block);
    code_pages_.add_code(block->second_phys, block->bytes - first_bytes);
  }
  recent_[slot(block->phys, block->mode)] = block;
  owned_.emplace(block, std::move(owned));
  return block;
}

void BlockCache::unlink(Block* block) {
  Block*& recent = recent_[slot(block->phys, block->mode)];
  if (recent == block) recent = nullptr;
  if (listener_ != nullptr) listener_->block_removed(*block);
  const auto owner = owned_.find(block);
  graveyard_.push_back(std::move(owner->second));
  owned_.erase(owner);
  cached_insns_ -= block->count;
  --count_;
}

void BlockCache::remove(Block* block) {
  std::erase(pages_[block->phys >> kPageShift], block);
  if (block->crosses_page()) std::erase(pages_[block->second_phys >> kPageShift], block);
  unlink(block);
}

void BlockCache::code_written(u64 phys, u64 bytes) {
  const auto page = pages_.find(phys >> kPageShift);
  if (page == pages_.end()) return;
  const u64 page_start = phys & kPageMask;
  std::vector<Block*> hit;
  for (Block* block : page->second) {
    u64 start = block->phys;
    u64 end = std::min(start + block->bytes, align_down(start, kPageBytes) + kPageBytes);
    if (block->crosses_page() && (block->phys & kPageMask) != page_start) {
      end = block->second_phys + block->bytes - (kPageBytes - (block->phys & ~kPageMask));
      start = block->second_phys;
    }
    if (start < phys + bytes && phys < end) hit.push_back(block);
  }
  for (Block* block : hit) remove(block);
  invalidations_ += hit.size();
  if (page->second.empty()) {
    pages_.erase(page);
    code_pages_.remove_page(page_start);
  }
}

void BlockCache::flush() {
  for (auto& [block, owner] : owned_) {
    if (listener_ != nullptr) listener_->block_removed(*block);
    graveyard_.push_back(std::move(owner));
  }
  owned_.clear();
  pages_.clear();
  std::fill(recent_.begin(), recent_.end(), nullptr);
  count_ = 0;
  cached_insns_ = 0;
  code_pages_.clear();
}

}  // namespace reprise::cpu
