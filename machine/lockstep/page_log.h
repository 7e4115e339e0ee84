// The pages of one RAM that were written since a moment, with what they held then.
#pragma once

#include <array>
#include <cstring>
#include <vector>

#include "mmu/ram.h"

namespace reprise::machine {

class PageLog final : public mmu::DirtyListener {
 public:
  using Bytes = std::array<u8, kPageBytes>;

  explicit PageLog(mmu::Ram& ram) : ram_(ram), marks_(ram.bytes() >> kPageShift) {
    ram.set_dirty_listener(this);
  }
  ~PageLog() override { ram_.set_dirty_listener(nullptr); }
  PageLog(const PageLog&) = delete;
  PageLog& operator=(const PageLog&) = delete;

  /// The moment is now. The caller drops write tags, so that every page written from now on is seen.
  void clear() {
    for (const u32 page : pages_) marks_[page] = 0;
    pages_.clear();
  }
  void page_dirtied(u64 page) override {
    if (marks_[page] != 0) return;
    pages_.push_back(static_cast<u32>(page));
    marks_[page] = static_cast<u32>(pages_.size());
    if (before_.size() < pages_.size()) before_.emplace_back();
    std::memcpy(before_[pages_.size() - 1].data(), ram_.host() + page * kPageBytes, kPageBytes);
  }

  /// Page numbers, in the order of their first write.
  const std::vector<u32>& pages() const { return pages_; }
  /// What `page` held; nullptr when it was not written.
  const u8* before(u32 page) const { return marks_[page] == 0 ? nullptr : before_[marks_[page] - 1].data(); }

 private:
  mmu::Ram& ram_;
  std::vector<u32> marks_;  // by page: 1 + its place in pages_, or 0
  std::vector<u32> pages_;
  std::vector<Bytes> before_;
};

}  // namespace reprise::machine
