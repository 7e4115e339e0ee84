// The interpreter: runs bodies from cached decoded blocks, no cleverness.
#pragma once

#include "cpu/block_source.h"
#include "cpu/engine.h"

namespace reprise::cpu {

class InterpEngine final : public Engine {
 public:
  InterpEngine(const CpuProfile& profile, mmu::CodePages& code_pages) : source_(profile, code_pages) {}

  RunExit run(Cpu& cpu, u64 budget) override;
  void flush() override { source_.cache().flush(); }
  const BlockCache& cache() const override { return source_.cache(); }

 private:
  BlockSource source_;
};

}  // namespace reprise::cpu
