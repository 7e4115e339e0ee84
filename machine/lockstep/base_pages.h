// What pages of RAM held at the moment to which a search goes back.
#pragma once

#include <array>
#include <cstring>
#include <vector>

#include "common/types.h"

namespace reprise::machine {

class BasePages {
 public:
  explicit BasePages(u64 ram_bytes) : places_(ram_bytes >> kPageShift) {}

  /// Another moment: nothing is known.
  void clear() {
    for (const u32 page : pages_) places_[page] = 0;
    pages_.clear();
  }
  /// `page` held the 4 KiB at `bytes`. The first word counts.
  void keep(u64 page, const u8* bytes) {
    if (places_[page] != 0) return;
    pages_.push_back(static_cast<u32>(page));
    places_[page] = static_cast<u32>(pages_.size());
    if (held_.size() < pages_.size()) held_.emplace_back();
    std::memcpy(held_[pages_.size() - 1].data(), bytes, kPageBytes);
  }
  /// nullptr when nothing is known of `page`.
  const u8* find(u64 page) const { return places_[page] == 0 ? nullptr : held_[places_[page] - 1].data(); }

 private:
  std::vector<u32> places_;  // by page: 1 + its place in pages_ and held_, or 0
  std::vector<u32> pages_;
  std::vector<std::array<u8, kPageBytes>> held_;
};

}  // namespace reprise::machine
