// Page faults of the guest by what it did and what was in the way, from their error codes. SDM 3A 4.7.
#pragma once

#include <string>
#include <vector>

#include "cpu/engine/vcpu.h"

namespace reprise::machine {

struct PageFaultKind {
  std::string name;  // "user write, not present": demand paging; "user write, protected": copy on write
  u64 count;
};

/// Those that there have been.
std::vector<PageFaultKind> page_fault_kinds(const cpu::VcpuCounts& counts);

}  // namespace reprise::machine
