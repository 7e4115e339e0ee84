// What an address space holds: runs of linear pages that share size and rights. SDM 3A chapter 4.
// Reads paging structures as they lie in RAM, without side effects.
#pragma once

#include <vector>

#include "machine/monitor/walk_report.h"

namespace reprise::machine::monitor {

/// Pages that follow each other, alike in everything named here.
struct LinearRun {
  u64 first_linear = 0;
  u64 last_linear = 0;
  u64 page_bytes = 0;
  bool user = false;  // the rights of all levels together
  bool writable = false;
  bool executable = false;
  bool global = false;
  u64 phys = 0;  // of the first page
  bool phys_contiguous = true;
  u64 pages = 0;
  u64 accessed_pages = 0;  // A and D of the last level
  u64 dirty_pages = 0;
};

struct AddressSpace {
  std::vector<LinearRun> runs;
  u64 bad_entries = 0;  // present but with reserved bits: an access faults
  /// The limits below were met: what lies from here on is not in `runs`.
  std::optional<u64> more_from_linear;
};

struct AddressSpaceLimits {
  u64 from_linear = 0;
  /// Tables that contain themselves describe more pages than any host could list.
  u64 max_entries = u64{1} << 24;
  u64 max_runs = u64{1} << 14;
};

AddressSpace list_address_space(const mmu::PagingContext& context, PeekMemory& memory,
                                const AddressSpaceLimits& limits = {});

}  // namespace reprise::machine::monitor
