// Runs cases on an engine: 64-bit user mode over page tables that mirror the layout.
#pragma once

#include <functional>
#include <memory>

#include "cpu/engine/engine.h"
#include "tests/native/case.h"

namespace reprise::native {

class EmulatorRunner {
 public:
  using MakeEngine =
      std::function<std::unique_ptr<cpu::Engine>(const cpu::CpuProfile& profile, mmu::CodePages& code_pages)>;

  /// The interpreter.
  EmulatorRunner();
  explicit EmulatorRunner(MakeEngine make_engine);
  ~EmulatorRunner();
  void run(const Case& test, Outcome& outcome) { run(test, outcome, ~u64{0}); }
  /// With at most `slice` instructions for each call of the engine.
  void run(const Case& test, Outcome& outcome, u64 slice);
  const cpu::Engine& engine() const;
  /// Instructions that retired in the last run.
  u64 retired() const { return retired_; }

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
  u64 retired_ = 0;
};

}  // namespace reprise::native
