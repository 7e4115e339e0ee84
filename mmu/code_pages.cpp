#include "mmu/code_pages.h"

#include <algorithm>

#include "common/bits.h"

namespace reprise::mmu {

void CodePages::add_code(u64 phys, u64 bytes) {
  const u64 offset = phys & ~kPageMask;
  bytes = std::min(bytes, kPageBytes - offset);
  if (bytes == 0 || phys >= kPhysLimit) return;
  const u64 chunk = phys >> kChunkShift;
  if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
  if (!chunks_[chunk]) chunks_[chunk] = std::make_unique<Chunk>();
  Page& page = (*chunks_[chunk])[index_in_chunk(phys)];
  const bool is_new = page.lines == 0;
  page.lines |= line_mask(offset, bytes);
  if (page.bytes) page.bytes->set(offset, bytes);
  if (!is_new) return;
  for (WriteTagHolder* holder : holders_) holder->drop_write_tags(phys & kPageMask);
}

bool CodePages::written(u64 phys, u64 bytes) {
  bool hit = false;
  while (bytes != 0) {
    const u64 offset = phys & ~kPageMask;
    const u64 count = std::min(bytes, kPageBytes - offset);
    if (may_hit_code(phys, count)) {
      bool hit_here = false;
      for (CodeListener* listener : listeners_) hit_here |= listener->code_written(phys, count);
      if (!hit_here) note_stale(phys & kPageMask);
      hit |= hit_here;
    }
    phys += count;
    bytes -= count;
  }
  return hit;
}

void CodePages::note_stale(u64 phys_page) {
  Page* const page = find(phys_page);
  if (page != nullptr && (!page->bytes || ++page->stale == kStaleStores)) refresh(phys_page);
}

void CodePages::refresh(u64 phys_page) {
  Page* const page = find(phys_page);
  if (page == nullptr) return;
  if (!page->bytes) page->bytes = std::make_unique<CodeBytes>();
  page->stale = 0;
  page->bytes->clear();
  for (const CodeListener* listener : listeners_) listener->mark_code(phys_page, *page->bytes);
  page->lines = page->bytes->lines();
}

}  // namespace reprise::mmu
