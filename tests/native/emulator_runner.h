// Runs cases on an engine: 64-bit user mode over page tables that mirror the layout.
#pragma once

#include <memory>

#include "cpu/engine.h"
#include "tests/native/case.h"

namespace reprise::native {

class EmulatorRunner {
 public:
  EmulatorRunner();
  ~EmulatorRunner();
  void run(const Case& test, Outcome& outcome);

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace reprise::native
