#include "machine/ram_hash.h"

#include <algorithm>
#include <bit>
#include <span>

#include "common/hash.h"

namespace reprise::machine {

u64 RamHash::update() {
  pages_hashed_ = 0;
  std::vector<u64>& words = ram_.dirty_words();
  for (std::size_t word = 0; word < words.size(); ++word) {
    for (; words[word] != 0; words[word] &= words[word] - 1) {
      const u64 page = word * 64 + static_cast<u64>(std::countr_zero(words[word]));
      const std::span<const u8> bytes(ram_.host() + page * kPageBytes, kPageBytes);
      const bool zero = std::ranges::all_of(bytes, [](u8 byte) { return byte == 0; });
      const u64 hash = zero ? 0 : hash64(bytes, page + 1);
      digest_ += hash - page_hash_[page];
      page_hash_[page] = hash;
      ++pages_hashed_;
    }
  }
  return digest_;
}

}  // namespace reprise::machine
