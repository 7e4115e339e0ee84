// BlockSource: the decoded block at an address, for every engine.
#pragma once

#include "cpu/block_cache.h"
#include "cpu/cpu.h"
#include "cpu/decode.h"

namespace reprise::cpu {

class BlockSource {
 public:
  BlockSource(const CpuProfile& profile, mmu::CodePages& code_pages);

  /// The block at `linear`, decoded now if need be; nullptr after raising a fetch fault. It stays until the
  /// next call of cache().collect() or block_at().
  Block* block_at(Cpu& cpu, u64 linear);
  /// False for code that does not lie in RAM or ROM: decoded anew each time, never to be kept.
  bool cached(const Block& block) const { return &block != uncached_.get(); }

  BlockCache& cache() { return cache_; }
  const BlockCache& cache() const { return cache_; }

 private:
  Block* build(Cpu& cpu, u64 linear, const mmu::Mmu::FetchTarget& target);
  Block* build_crossing(Cpu& cpu, u64 linear, const mmu::Mmu::FetchTarget& target);

  Decoder decoder_;
  BlockCache cache_;
  std::unique_ptr<Block> uncached_;
};

}  // namespace reprise::cpu
