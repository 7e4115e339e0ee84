// Self-modifying-code protocol. One object per machine: which guest-physical pages hold translated code.
//
// A page with code never has a write tag in any TLB. A store to such a page takes the slow path, asks
// the 64-byte-line bitmap, and tells the listeners only when it hits a line with code. DMA goes the same way.
#pragma once

#include <unordered_map>
#include <vector>

#include "common/types.h"

namespace reprise::mmu {

/// Implemented by each engine's block cache.
class CodeListener {
 public:
  virtual ~CodeListener() = default;
  /// Every block overlapping [phys, phys+bytes) must not run again. `bytes` never crosses a page.
  virtual void code_written(u64 phys, u64 bytes) = 0;
};

/// Implemented by each Mmu: removes write tags of one page.
class WriteTagHolder {
 public:
  virtual ~WriteTagHolder() = default;
  virtual void drop_write_tags(u64 phys_page) = 0;
};

class CodePages {
 public:
  void add_listener(CodeListener& listener) { listeners_.push_back(&listener); }
  void add_tag_holder(WriteTagHolder& holder) { holders_.push_back(&holder); }

  bool has_code(u64 phys) const { return pages_.contains(phys >> kPageShift); }

  /// [phys, phys+bytes) within one page now holds translated code.
  void add_code(u64 phys, u64 bytes);

  /// A store of `bytes` (may cross pages) to `phys` is about to be or was done. Returns true when it hit code.
  bool written(u64 phys, u64 bytes);

  /// Called by a listener that has no block left in the page.
  void remove_page(u64 phys_page);

  void clear() { pages_.clear(); }

 private:
  // Line bitmap: bit i covers bytes [64*i, 64*i+64) of the page.
  std::unordered_map<u64, u64> pages_;
  std::vector<CodeListener*> listeners_;
  std::vector<WriteTagHolder*> holders_;
};

}  // namespace reprise::mmu
