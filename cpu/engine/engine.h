// Engine: executes guest instructions until its budget is spent or something needs the vCPU's attention.
#pragma once

#include <string>

#include "cpu/blocks/block_cache.h"
#include "cpu/core/cpu.h"

namespace reprise::cpu {

enum class RunExit : u8 {
  Budget,  // exactly the budget retired
  Event,  // stopped early: mode, interruptibility, devices or activity may have changed, or a debugger stops it
  Fault,  // Cpu::fault is to be delivered; rip is that of the faulting instruction
  Trap,   // Cpu::fault is to be delivered; rip is the next instruction
};

class Engine {
 public:
  virtual ~Engine() = default;
  /// Retires at most `budget` (at least 1) instructions of `cpu`, which must be Running. On return rip,
  /// rflags, registers and `retired` are exact, and Cpu::mode matches the state. vCPU thread only.
  virtual RunExit run(Cpu& cpu, u64 budget) = 0;
  /// `event` is about to be delivered to `cpu`, outside of run().
  virtual void delivering(Cpu& cpu, const Fault& event) { (void)cpu, (void)event; }
  /// Forgets all translations.
  virtual void flush() = 0;
  /// Processor and memory are others than before: a saved state was loaded.
  virtual void state_replaced() { flush(); }
  virtual const BlockCache& cache() const = 0;
  /// What it did, as lines of text, beyond what the cache tells.
  virtual std::string stats() const { return {}; }
  /// Why the run must end, the first line one sentence; empty while all is well.
  virtual std::string failure() const { return {}; }
};

}  // namespace reprise::cpu
