// What happens when this process gets no more memory: the run ends in good order, with a sentence and its report.
#pragma once

#include "machine/machine.h"

namespace reprise::frontend {

/// Lays a reserve aside. The first time memory ends, it is set free and the machine that runs is asked to end; the
/// second time std::bad_alloc is thrown, and where nothing can catch it (under generated code, on a thread of ours) the
/// process says so and exits with the code of a host error. Once, at the beginning.
void prepare_for_memory_end();

/// While it lives, the end of memory ends `machine`. One at a time.
class MemoryEndGuard {
 public:
  explicit MemoryEndGuard(machine::Machine& machine);
  ~MemoryEndGuard();
  MemoryEndGuard(const MemoryEndGuard&) = delete;
  MemoryEndGuard& operator=(const MemoryEndGuard&) = delete;
};

}  // namespace reprise::frontend
