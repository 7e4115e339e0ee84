#include "cpu/blocks/dormant_blocks.h"

#include <algorithm>

namespace reprise::cpu {

Block* DormantBlocks::take(u64 phys, ModeKey mode, std::span<const u8> bytes) {
  if (count_ == 0) return nullptr;
  const auto place = places_.find(key(phys, mode));
  if (place == places_.end()) return nullptr;
  std::vector<Block*>& versions = place->second;
  // Those that come back soon were put here last.
  for (std::size_t i = versions.size(); i-- > 0;) {
    Block* const block = versions[i];
    const std::vector<u8>& made_of = bytes_.at(block);
    if (block->phys != phys || !(block->mode == mode) || made_of.size() > bytes.size() ||
        !std::equal(made_of.begin(), made_of.end(), bytes.begin()))
      continue;
    versions.erase(versions.begin() + static_cast<std::ptrdiff_t>(i));
    --count_;
    return block;
  }
  return nullptr;
}

}  // namespace reprise::cpu
