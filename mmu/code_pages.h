// Self-modifying-code protocol. One object per machine: which guest-physical pages hold translated code.
//
// A page with code never has a write tag in any TLB. A store to such a page takes the slow path, asks
// the 64-byte-line bitmap and, from the first store into such a line on, a bitmap of the page's bytes:
// firmware and boot loaders keep stacks and variables close to their code. It tells the listeners only when
// it hits what may be code. When the bitmaps have been wrong for a while, the listeners are asked anew where
// their code is. DMA goes the same way. All methods: the thread that runs the machine. A listener may call
// add_code() and has_code().
#pragma once

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "common/bits.h"
#include "common/types.h"
#include "mmu/code_bytes.h"
#include "mmu/write_tags.h"

namespace reprise::mmu {

/// Implemented by each engine's block cache.
class CodeListener {
 public:
  virtual ~CodeListener() = default;
  /// Every block overlapping [phys, phys+bytes) must not run again. `bytes` never crosses a page. True when
  /// there was one.
  virtual bool code_written(u64 phys, u64 bytes) = 0;
  /// Sets the bits of all bytes of its blocks in the page at `phys_page`.
  virtual void mark_code(u64 phys_page, CodeBytes& into) const = 0;
};

class CodePages {
 public:
  /// Code is tracked below this guest-physical address; RAM and ROM lie below it.
  static constexpr u64 kPhysLimit = u64{1} << 43;

  void add_listener(CodeListener& listener) { listeners_.push_back(&listener); }
  void add_tag_holder(WriteTagHolder& holder) { holders_.push_back(&holder); }
  void remove_tag_holder(WriteTagHolder& holder) { std::erase(holders_, &holder); }

  /// True when the page of `phys` holds translated code.
  bool has_code(u64 phys) const { return lines(phys) != 0; }

  /// True when a store to [phys, phys+bytes), within one page, has to be told to written(). Calls nothing.
  bool may_hit_code(u64 phys, u64 bytes) const {
    const u64 offset = phys & ~kPageMask;
    const Page* const page = find(phys);
    if (page == nullptr || (page->lines & line_mask(offset, bytes)) == 0) return false;
    if (!page->bytes) return true;
    for (u64 at = offset; at < offset + bytes;) {
      const u64 count = std::min<u64>(offset + bytes - at, 64 - at % 64);
      if (page->bytes->of_line(at / 64) & field(~u64{0}, 0, static_cast<unsigned>(count)) << at % 64)
        return true;
      at += count;
    }
    return false;
  }

  /// [phys, phys+bytes) within one page of RAM or ROM now holds translated code.
  void add_code(u64 phys, u64 bytes);

  /// A store of `bytes` (may cross pages) to `phys` is about to be or was done. Returns true when it hit
  /// a block of a listener.
  bool written(u64 phys, u64 bytes);

  /// Asks the listeners where they have code in the page at `phys_page`: all else is forgotten.
  void refresh(u64 phys_page);
  /// True when the page has a bitmap of its bytes: stores have come close to its code.
  bool is_written(u64 phys) const {
    const Page* const page = find(phys);
    return page != nullptr && page->bytes;
  }
  /// The lines of [offset, offset+bytes), which lies within one page and is not empty.
  static constexpr u64 line_mask(u64 offset, u64 bytes) {
    const u64 first = offset >> kLineShift;
    const u64 last = (offset + bytes - 1) >> kLineShift;
    return field(~u64{0}, 0, static_cast<unsigned>(last - first + 1)) << first;
  }

  void clear() { chunks_.clear(); }

 private:
  static constexpr unsigned kLineShift = 6;
  struct Page {
    u64 lines = 0;  // bit i: bytes [64*i, 64*i+64) may have code
    u32 stale = 0;  // stores since the last refresh() that hit no block
    std::unique_ptr<CodeBytes> bytes;
  };
  /// So many make a refresh worth while: code that is overwritten often comes back often.
  static constexpr u32 kStaleStores = 64;
  void note_stale(u64 phys_page);
  // Those of 2 MiB of guest-physical memory.
  static constexpr unsigned kChunkShift = 21;
  using Chunk = std::array<Page, (u64{1} << kChunkShift) / kPageBytes>;

  static constexpr u64 index_in_chunk(u64 phys) {
    return (phys >> kPageShift) & (std::tuple_size_v<Chunk> - 1);
  }
  const Page* find(u64 phys) const {
    const u64 chunk = phys >> kChunkShift;
    return chunk < chunks_.size() && chunks_[chunk] ? &(*chunks_[chunk])[index_in_chunk(phys)] : nullptr;
  }
  Page* find(u64 phys) { return const_cast<Page*>(std::as_const(*this).find(phys)); }
  u64 lines(u64 phys) const {
    const Page* const page = find(phys);
    return page != nullptr ? page->lines : 0;
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<CodeListener*> listeners_;
  std::vector<WriteTagHolder*> holders_;
};

}  // namespace reprise::mmu
