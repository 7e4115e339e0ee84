// The interpreter: runs bodies from cached decoded blocks, no cleverness.
#pragma once

#include "cpu/blocks/block_source.h"
#include "cpu/engine/engine.h"

namespace reprise::cpu {

class InterpEngine final : public Engine {
 public:
  /// Blocks of at most `max_block_insns` instructions; 0: as many as a block holds.
  InterpEngine(const CpuProfile& profile, mmu::CodePages& code_pages, u32 max_block_insns = 0)
      : source_(profile, code_pages, max_block_insns) {}

  RunExit run(Cpu& cpu, u64 budget) override;
  void flush() override { source_.cache().flush(); }
  const BlockCache& cache() const override { return source_.cache(); }

 private:
  BlockSource source_;
};

}  // namespace reprise::cpu
