// Who may store into RAM without a call, and how that is taken back.
#pragma once

#include "common/types.h"

namespace reprise::mmu {

/// Implemented by each Mmu. What is dropped is asked for again at the next store, which takes a slow path.
class WriteTagHolder {
 public:
  virtual ~WriteTagHolder() = default;
  /// Those of one page; `phys_page` is its page-aligned guest-physical address.
  virtual void drop_write_tags(u64 phys_page) = 0;
  virtual void drop_all_write_tags() = 0;
};

}  // namespace reprise::mmu
