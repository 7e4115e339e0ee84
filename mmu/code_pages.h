// Self-modifying-code protocol. One object per machine: which guest-physical pages hold translated code.
//
// A page with code never has a write tag in any TLB. A store to such a page takes the slow path, asks
// the 64-byte-line bitmap, and tells the listeners only when it hits a line with code. DMA goes the same way.
// All methods: the thread that runs the machine. A listener may call back into this object.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "common/bits.h"
#include "common/types.h"

namespace reprise::mmu {

/// Implemented by each engine's block cache.
class CodeListener {
 public:
  virtual ~CodeListener() = default;
  /// Every block overlapping [phys, phys+bytes) must not run again. `bytes` never crosses a page. True when there was one.
  virtual bool code_written(u64 phys, u64 bytes) = 0;
};

/// Implemented by each Mmu: removes write tags of one page.
class WriteTagHolder {
 public:
  virtual ~WriteTagHolder() = default;
  /// `phys_page` is the page-aligned guest-physical address.
  virtual void drop_write_tags(u64 phys_page) = 0;
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

  /// True when a line that [phys, phys+bytes), within one page, touches may hold translated code.
  bool has_code_near(u64 phys, u64 bytes) const { return (lines(phys) & line_mask(phys & ~kPageMask, bytes)) != 0; }

  /// [phys, phys+bytes) within one page of RAM or ROM now holds translated code.
  void add_code(u64 phys, u64 bytes);

  /// A store of `bytes` (may cross pages) to `phys` is about to be or was done. Returns true when it hit
  /// a block of a listener.
  bool written(u64 phys, u64 bytes);

  /// Called by a listener after it dropped blocks: what it still has in the page lies in `lines` (bit i: bytes
  /// [64*i, 64*i+64)). With several listeners all marks stay, since the others may still have blocks there.
  void keep_lines(u64 phys_page, u64 lines);
  /// The lines of [offset, offset+bytes), which lies within one page and is not empty.
  static constexpr u64 line_mask(u64 offset, u64 bytes) {
    const u64 first = offset >> kLineShift;
    const u64 last = (offset + bytes - 1) >> kLineShift;
    return field(~u64{0}, 0, static_cast<unsigned>(last - first + 1)) << first;
  }

  void clear() { chunks_.clear(); }

 private:
  static constexpr unsigned kLineShift = 6;
  // The line bitmaps of 2 MiB of guest-physical memory. Bit i covers bytes [64*i, 64*i+64) of the page.
  static constexpr unsigned kChunkShift = 21;
  using Chunk = std::array<u64, (u64{1} << kChunkShift) / kPageBytes>;

  static constexpr u64 index_in_chunk(u64 phys) {
    return (phys >> kPageShift) & (std::tuple_size_v<Chunk> - 1);
  }
  u64 lines(u64 phys) const {
    const u64 chunk = phys >> kChunkShift;
    return chunk < chunks_.size() && chunks_[chunk] ? (*chunks_[chunk])[index_in_chunk(phys)] : 0;
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<CodeListener*> listeners_;
  std::vector<WriteTagHolder*> holders_;
};

}  // namespace reprise::mmu
