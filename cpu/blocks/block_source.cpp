#include "cpu/blocks/block_source.h"

#include <algorithm>

namespace reprise::cpu {
namespace {

constexpr u64 kMaxInsnBytes = 15;  // SDM 2A 2.3.11

/// The linear address of the page behind that of `linear`, which may be the first one again.
u64 next_page(const Cpu& cpu, u64 linear) {
  const u64 next = align_down(linear, kPageBytes) + kPageBytes;
  return cpu.mode.is64() ? next : static_cast<u32>(next);
}

}  // namespace

BlockSource::BlockSource(const CpuProfile& profile, mmu::CodePages& code_pages, u32 max_insns)
    : max_insns_(max_insns == 0 ? Block::kMaxInsns : std::min<u32>(max_insns, Block::kMaxInsns)),
      decoder_(profile),
      cache_(code_pages) {}

Block* BlockSource::block_at(Cpu& cpu, u64 linear) {
  mmu::Mmu::FetchTarget target;
  if (!cpu.mmu.fetch(linear, target)) [[unlikely]] {
    cpu.memory_fault(false);
    return nullptr;
  }
  const ModeKey mode = cpu.stops == nullptr ? cpu.mode : cpu.stops->block_mode(cpu.mode, linear);
  // What is not memory now may have been when a block was made of it.
  Block* block = target.host != nullptr ? cache_.find(target.phys, mode) : nullptr;
  if (block == nullptr) [[unlikely]]
    return build(cpu, linear, mode, target);
  if (!block->crosses_page()) [[likely]]
    return block;

  mmu::Mmu::FetchTarget second;
  if (!cpu.mmu.fetch(next_page(cpu, linear), second)) {
    cpu.memory_fault(false);
    return nullptr;
  }
  if (second.host != nullptr && second.phys == block->second_phys) return block;
  cache_.remove(block);
  return build(cpu, linear, mode, target);
}

Block* BlockSource::make(u32 count, bool cacheable) {
  if (cacheable) return cache_.make(count);
  if (uncached_ != nullptr) uncached_pool_.give_back(uncached_);
  return uncached_ = uncached_pool_.make(count);
}

Block* BlockSource::build(Cpu& cpu, u64 linear, ModeKey mode, const mmu::Mmu::FetchTarget& target) {
  const u64 page_offset = linear & ~kPageMask;
  const u64 available = kPageBytes - page_offset;
  if (target.host != nullptr) {
    if (Block* const block = cache_.revive(target.phys, mode, {target.host, available})) return block;
  }
  u8 copy[kPageBytes];
  const u8* bytes = target.host;
  if (bytes == nullptr) {
    for (u64 i = 0; i < std::min<u64>(available, 64); ++i) {
      copy[i] = static_cast<u8>(cpu.mmu.read_device(target.phys + i, Width::Byte));
    }
    bytes = copy;
  }
  const u64 end = target.host == nullptr ? std::min<u64>(available, 64) : available;

  Insn insns[Block::kMaxInsns];
  u32 count = 0;
  u64 used = 0;
  bool ends = false;
  const bool debugged = !(mode == cpu.mode);
  while (!ends && count < max_insns_ && used < end) {
    const u16 offset = static_cast<u16>(page_offset + used);
    if (count != 0 && debugged && cpu.stops->splits(offset)) break;
    if (decoder_.decode({bytes + used, end - used}, cpu.mode, offset, insns[count], ends) ==
        DecodeStatus::Truncated) {
      if (count == 0) return build_crossing(cpu, linear, mode, target);
      break;
    }
    // What does not decode depends on every byte that was looked at.
    const unsigned length = insns[count].length();
    used += length != 0 ? length : std::min(kMaxInsnBytes, end - used);
    ++count;
  }

  Block* const block = make(count, target.host != nullptr);
  block->phys = target.phys;
  block->mode = mode;
  block->bytes = static_cast<u32>(used);
  std::copy_n(insns, count, block->insns.get());
  if (!cached(*block)) return block;
  cache_.insert(block);
  cache_.remember(block, {bytes, end});
  return block;
}

Block* BlockSource::build_crossing(Cpu& cpu, u64 linear, ModeKey mode, const mmu::Mmu::FetchTarget& target) {
  const u64 first_bytes = kPageBytes - (linear & ~kPageMask);
  mmu::Mmu::FetchTarget second;
  if (!cpu.mmu.fetch(next_page(cpu, linear), second)) {
    cpu.memory_fault(false);
    return nullptr;
  }
  u8 bytes[kMaxInsnBytes];
  for (u64 i = 0; i < kMaxInsnBytes; ++i) {
    const mmu::Mmu::FetchTarget& page = i < first_bytes ? target : second;
    const u64 index = i < first_bytes ? i : i - first_bytes;
    bytes[i] = page.host != nullptr ? page.host[index]
                                    : static_cast<u8>(cpu.mmu.read_device(page.phys + index, Width::Byte));
  }
  Block* const block = make(1, target.host != nullptr && second.host != nullptr);
  bool ends = false;
  decoder_.decode(bytes, cpu.mode, static_cast<u16>(linear & ~kPageMask), block->insns[0], ends);
  block->insns[0].flags |= Insn::kCrossesPage;
  block->phys = target.phys;
  block->second_phys = second.phys;
  block->mode = mode;
  const unsigned length = block->insns[0].length();
  block->bytes = static_cast<u32>(length != 0 ? std::max<u64>(length, first_bytes + 1) : kMaxInsnBytes);
  return cached(*block) ? cache_.insert(block) : block;
}

}  // namespace reprise::cpu
