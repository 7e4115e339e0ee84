#include "machine/ram_hash.h"

#include <algorithm>
#include <span>

#include "common/hash.h"
#include "common/zeros.h"

namespace reprise::machine {

u64 RamHash::update() {
  const u64 ended = ram_.end_epoch();
  ram_.for_each_written_since(hashed_epoch_, [&](u64 page) {
    const std::span<const u8> bytes(ram_.host() + page * kPageBytes, kPageBytes);
    const bool zero = all_zero(bytes);
    const u64 hash = zero ? 0 : hash64(bytes, page + 1);
    digest_ += hash - page_hash_[page];
    page_hash_[page] = hash;
    ++pages_hashed_;
  });
  hashed_epoch_ = ended;
  return digest_;
}

}  // namespace reprise::machine
