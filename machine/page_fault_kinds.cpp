#include "machine/page_fault_kinds.h"

#include <fmt/format.h>

namespace reprise::machine {

std::vector<PageFaultKind> page_fault_kinds(const cpu::VcpuCounts& counts) {
  constexpr unsigned kPresent = 1, kWrite = 2, kUser = 4, kReserved = 8, kFetch = 16;
  std::vector<PageFaultKind> kinds;
  for (unsigned code = 0; code < counts.page_faults.size(); ++code) {
    if (counts.page_faults[code] == 0) continue;
    kinds.push_back({fmt::format("{} {}, {}", code & kUser ? "user" : "kernel",
                                 code & kFetch   ? "fetch"
                                 : code & kWrite ? "write"
                                                 : "read",
                                 code & kReserved  ? "reserved bits"
                                 : code & kPresent ? "protected"
                                                   : "not present"),
                     counts.page_faults[code]});
  }
  return kinds;
}

}  // namespace reprise::machine
