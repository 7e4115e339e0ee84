// BlockSource: the decoded block at an address, for every engine.
#pragma once

#include "cpu/blocks/block_cache.h"
#include "cpu/core/cpu.h"
#include "cpu/decode/decode.h"

namespace reprise::cpu {

class BlockSource {
 public:
  /// Blocks of at most `max_insns` instructions; 0: as many as a block holds.
  BlockSource(const CpuProfile& profile, mmu::CodePages& code_pages, u32 max_insns = 0);

  /// The block at `linear`, decoded now if need be; nullptr after raising a fetch fault. It stays until the
  /// next call of cache().collect() or block_at().
  Block* block_at(Cpu& cpu, u64 linear);
  /// False for code that does not lie in RAM or ROM: decoded anew each time, never to be kept.
  bool cached(const Block& block) const { return &block != uncached_; }

  BlockCache& cache() { return cache_; }
  const BlockCache& cache() const { return cache_; }

 private:
  Block* build(Cpu& cpu, u64 linear, ModeKey mode, const mmu::Mmu::FetchTarget& target);
  Block* make(u32 count, bool cacheable);
  Block* build_crossing(Cpu& cpu, u64 linear, ModeKey mode, const mmu::Mmu::FetchTarget& target);

  const u32 max_insns_;
  Decoder decoder_;
  BlockCache cache_;
  BlockPool uncached_pool_;
  Block* uncached_ = nullptr;
};

}  // namespace reprise::cpu
