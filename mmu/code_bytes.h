// CodeBytes: a bit for each byte of a page, set where it may be code.
#pragma once

#include <algorithm>
#include <array>

#include "common/bits.h"
#include "common/types.h"

namespace reprise::mmu {

class CodeBytes {
 public:
  /// `count` bytes from `first` on, which lie in the page; at least one.
  void set(u64 first, u64 count) {
    for_words(first, count, [this](u64 word, u64 mask) { words_[word] |= mask; });
  }
  bool any(u64 first, u64 count) const {
    u64 found = 0;
    for_words(first, count, [&](u64 word, u64 mask) { found |= words_[word] & mask; });
    return found != 0;
  }
  void clear() { words_ = {}; }
  /// Bit i: bytes [64 * i, 64 * i + 64) have code.
  u64 lines() const {
    u64 lines = 0;
    for (unsigned i = 0; i < words_.size(); ++i) lines |= u64{words_[i] != 0} << i;
    return lines;
  }
  /// That of bytes [64 * line, 64 * line + 64).
  const u64& of_line(u64 line) const { return words_[line]; }

 private:
  template <class Visit>
  static void for_words(u64 first, u64 count, Visit visit) {
    for (const u64 end = first + count; first < end;) {
      const u64 in_word = std::min<u64>(end - first, 64 - first % 64);
      visit(first / 64, field(~u64{0}, 0, static_cast<unsigned>(in_word)) << first % 64);
      first += in_word;
    }
  }
  std::array<u64, kPageBytes / 64> words_{};
};

}  // namespace reprise::mmu
