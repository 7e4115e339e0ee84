#include "cpu/blocks/block_cache.h"

#include <algorithm>

#include "common/bits.h"

namespace reprise::cpu {
namespace {

u64 bytes_in_first_page(const Block& block) {
  return std::min<u64>(block.bytes, kPageBytes - (block.phys & ~kPageMask));
}

/// The page the block's first byte is in decides, should both parts lie in one.
unsigned link_in_page(const Block& block, u64 phys) { return (block.phys ^ phys) >> kPageShift == 0 ? 0 : 1; }

/// Calls `visit(offset, count)` for the bytes that the block has in the page of `phys`.
template <class Visit>
void for_bytes_in_page(const Block& block, u64 phys, Visit visit) {
  const u64 first_bytes = bytes_in_first_page(block);
  if ((block.phys ^ phys) >> kPageShift == 0) visit(block.phys & ~kPageMask, first_bytes);
  if (block.crosses_page() && (block.second_phys ^ phys) >> kPageShift == 0)
    visit(block.second_phys & ~kPageMask, block.bytes - first_bytes);
}

bool overlaps(const Block& block, u64 phys, u64 bytes) {
  const auto hits = [&](u64 start, u64 end) { return start < phys + bytes && phys < end; };
  const u64 first_bytes = bytes_in_first_page(block);
  if (hits(block.phys, block.phys + first_bytes)) return true;
  return block.crosses_page() && hits(block.second_phys, block.second_phys + block.bytes - first_bytes);
}

/// The first line of a page that a block may begin in and reach `offset`.
u64 first_line_reaching(u64 offset) {
  constexpr u64 kMaxBlockBytes = Block::kMaxInsns * 15;  // SDM 2A 2.3.11
  return (offset < kMaxBlockBytes ? 0 : offset - kMaxBlockBytes) / 64;
}

}  // namespace

BlockCache::BlockCache(mmu::CodePages& code_pages, u64 max_bytes)
    : code_pages_(code_pages), max_bytes_(max_bytes), buckets_(kFirstBuckets, nullptr) {
  code_pages.add_listener(*this);
}

BlockCache::PageBlocks* BlockCache::page_of(u64 phys) const {
  const u64 chunk = phys >> kChunkShift;
  if (chunk >= chunks_.size() || !chunks_[chunk]) return nullptr;
  return (*chunks_[chunk])[(phys >> kPageShift) % std::tuple_size_v<Chunk>].get();
}

BlockCache::PageBlocks& BlockCache::page_for(u64 phys) {
  const u64 chunk = phys >> kChunkShift;
  if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
  if (!chunks_[chunk]) chunks_[chunk] = std::make_unique<Chunk>();
  std::unique_ptr<PageBlocks>& page = (*chunks_[chunk])[(phys >> kPageShift) % std::tuple_size_v<Chunk>];
  if (!page) page = std::make_unique<PageBlocks>();
  return *page;
}

void BlockCache::link(Block* block, unsigned which, u64 phys) {
  Block*& head = page_for(phys)[(phys & ~kPageMask) / 64];
  Block::PageLink& mine = block->page_link[which];
  mine = {head, &head};
  if (head != nullptr) head->page_link[link_in_page(*head, phys)].at = &mine.next;
  head = block;
}

Block* BlockCache::insert(Block* block) {
  if (generation_bytes_ > max_bytes_ / kGenerations) {
    ++generation_;
    generation_bytes_ = 0;
  }
  while (cached_bytes_ + bytes_of(*block) > max_bytes_ && count_ != 0) drop_oldest();
  block->generation = generation_;
  generation_bytes_ += bytes_of(*block);
  cached_bytes_ += bytes_of(*block);
  if (++count_ * 2 > buckets_.size()) grow();
  Block*& head = buckets_[bucket(block->phys, block->mode)];
  block->next = head;
  head = block;

  const u64 first_bytes = bytes_in_first_page(*block);
  link(block, 0, block->phys);
  code_pages_.add_code(block->phys, first_bytes);
  if (block->crosses_page()) {
    if (link_in_page(*block, block->second_phys) == 1) link(block, 1, block->second_phys);
    code_pages_.add_code(block->second_phys, block->bytes - first_bytes);
  }
  return block;
}

void BlockCache::grow() {
  std::vector<Block*> old(buckets_.size() * 2, nullptr);
  old.swap(buckets_);
  for (Block* block : old) {
    while (block != nullptr) {
      Block* const next = block->next;
      Block*& head = buckets_[bucket(block->phys, block->mode)];
      block->next = head;
      head = block;
      block = next;
    }
  }
}

void BlockCache::unlink(Block* block) {
  Block** at = &buckets_[bucket(block->phys, block->mode)];
  while (*at != block) at = &(*at)->next;
  *at = block->next;

  const u64 pages[2] = {block->phys, block->second_phys};
  for (unsigned which = 0; which < 2; ++which) {
    Block::PageLink& link = block->page_link[which];
    if (link.at == nullptr) continue;
    *link.at = link.next;
    if (link.next != nullptr) link.next->page_link[link_in_page(*link.next, pages[which])].at = link.at;
    link = {};
  }
}

void BlockCache::bury(Block* block) {
  dormant_.forget(*block);
  if (listener_ != nullptr) listener_->block_removed(*block);
  block->next = removed_;
  removed_ = block;
  cached_bytes_ -= bytes_of(*block);
  --count_;
}

void BlockCache::remove(Block* block) {
  unlink(block);
  bury(block);
}

void BlockCache::drop_oldest() {
  const auto age = [this](const Block& block) { return static_cast<u16>(generation_ - block.generation); };
  u16 oldest = 0;
  for (const Block* bucket : buckets_)
    for (const Block* block = bucket; block != nullptr; block = block->next)
      oldest = std::max(oldest, age(*block));
  for (Block* bucket : buckets_) {
    for (Block* block = bucket; block != nullptr;) {
      Block* const next = block->next;
      if (age(*block) == oldest) remove(block);
      block = next;
    }
  }
}

void BlockCache::free_removed() {
  while (removed_ != nullptr) {
    Block* const block = removed_;
    removed_ = block->next;
    pool_.give_back(block);
  }
}

void BlockCache::suspend(Block* block) {
  unlink(block);
  cached_bytes_ -= bytes_of(*block);
  --count_;
  if (listener_ != nullptr) listener_->block_suspended(*block);
  dormant_.put(block, [this](Block* given_up) {
    // It counts as cached until it is buried.
    cached_bytes_ += bytes_of(*given_up);
    ++count_;
    bury(given_up);
  });
}

Block* BlockCache::revive(u64 phys, ModeKey mode, std::span<const u8> bytes) {
  if (!code_pages_.is_written(phys)) return nullptr;  // what is not remembered is not kept
  Block* const block = dormant_.take(phys, mode, bytes);
  if (block == nullptr) return nullptr;
  ++revivals_;
  return insert(block);
}

void BlockCache::remember(Block* block, std::span<const u8> bytes) {
  if (code_pages_.is_written(block->phys) && !block->crosses_page())
    dormant_.remember(block, bytes.first(block->bytes));
}

bool BlockCache::code_written(u64 phys, u64 bytes) {
  PageBlocks* const page = page_of(phys);
  if (page == nullptr) return false;
  const u64 offset = phys & ~kPageMask;
  const u64 last_line = (offset + bytes - 1) / 64;
  bool hit = false;
  const auto search = [&](u64 line) {
    for (Block* block = (*page)[line]; block != nullptr;) {
      Block* const next = block->page_link[link_in_page(*block, phys)].next;
      if (overlaps(*block, phys, bytes)) {
        if (dormant_.remembers(*block))
          suspend(block);
        else
          remove(block);
        ++invalidations_;
        hit = true;
      }
      block = next;
    }
  };
  for (u64 line = first_line_reaching(offset); line <= last_line; ++line) search(line);
  // An instruction that crosses into the next page may have this one there too: it begins in the last line.
  if (last_line != std::tuple_size_v<PageBlocks> - 1) search(std::tuple_size_v<PageBlocks> - 1);
  return hit;
}

void BlockCache::mark_code(u64 phys_page, mmu::CodeBytes& into) const {
  const PageBlocks* const page = page_of(phys_page);
  if (page == nullptr) return;
  for (const Block* block : *page) {
    for (; block != nullptr; block = block->page_link[link_in_page(*block, phys_page)].next)
      for_bytes_in_page(*block, phys_page, [&](u64 offset, u64 count) { into.set(offset, count); });
  }
}

void BlockCache::flush() {
  for (Block*& bucket : buckets_) {
    while (bucket != nullptr) {
      Block* const block = bucket;
      bucket = block->next;
      bury(block);
    }
  }
  dormant_.clear([this](Block* block) {
    cached_bytes_ += bytes_of(*block);
    ++count_;
    bury(block);
  });
  chunks_.clear();
  code_pages_.clear();
}

}  // namespace reprise::cpu
