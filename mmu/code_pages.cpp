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
  u64& lines = (*chunks_[chunk])[index_in_chunk(phys)];
  const bool is_new = lines == 0;
  lines |= line_mask(offset, bytes);
  if (!is_new) return;
  for (WriteTagHolder* holder : holders_) holder->drop_write_tags(phys & kPageMask);
}

bool CodePages::written(u64 phys, u64 bytes) {
  bool hit = false;
  while (bytes != 0) {
    const u64 offset = phys & ~kPageMask;
    const u64 count = std::min(bytes, kPageBytes - offset);
    if (lines(phys) & line_mask(offset, count)) {
      for (CodeListener* listener : listeners_) hit |= listener->code_written(phys, count);
    }
    phys += count;
    bytes -= count;
  }
  return hit;
}

void CodePages::keep_lines(u64 phys_page, u64 lines) {
  const u64 chunk = phys_page >> kChunkShift;
  if (listeners_.size() > 1 || chunk >= chunks_.size() || !chunks_[chunk]) return;
  (*chunks_[chunk])[index_in_chunk(phys_page)] &= lines;
}

}  // namespace reprise::mmu
