// The interpreter: runs bodies from cached decoded blocks, no cleverness.
#pragma once

#include "cpu/block_cache.h"
#include "cpu/decode.h"
#include "cpu/engine.h"

namespace reprise::cpu {

class InterpEngine final : public Engine {
 public:
  InterpEngine(const CpuProfile& profile, mmu::CodePages& code_pages);

  RunExit run(Cpu& cpu, u64 budget) override;
  void flush() override { cache_.flush(); }
  const BlockCache& cache() const { return cache_; }

 private:
  /// The block at rip, decoded now if need be; nullptr after raising a fetch fault.
  Block* block_at(Cpu& cpu, u64 linear);
  Block* build(Cpu& cpu, u64 linear, const mmu::Mmu::FetchTarget& target);
  Block* build_crossing(Cpu& cpu, u64 linear, const mmu::Mmu::FetchTarget& target);

  Decoder decoder_;
  BlockCache cache_;
  std::unique_ptr<Block> uncached_;  // code that does not lie in RAM or ROM
};

}  // namespace reprise::cpu
