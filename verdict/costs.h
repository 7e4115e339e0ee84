// Costs: what a guest's work came to, in numbers that are the same in each run of the same command, on every host and engine.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise::verdict {

struct Costs {
  u64 instructions = 0;
  u64 tlb_misses = 0;  // page walks
  u64 exits =
      0;  // accesses to devices' registers, and interrupts: what a hypervisor would have left the guest for
  u64 disk_bytes = 0;     // read and written
  u64 network_bytes = 0;  // both ways

  bool operator==(const Costs&) const = default;
};

struct CostRow {
  std::string_view name;   // "tlb_misses"
  std::string_view words;  // "TLB misses"
  u64 Costs::*number;
};
std::span<const CostRow> cost_rows();

/// What came behind `earlier`.
Costs since(const Costs& later, const Costs& earlier);

Costs sum(const Costs& a, const Costs& b);

/// "instructions 1234, TLB misses 5, ...".
std::string costs_text(const Costs& costs);

/// A number of a test that is another than it was.
struct CostChange {
  std::string test;
  std::string_view words;
  u64 before = 0;
  u64 now = 0;

  /// In parts of a million; what was nothing has grown beyond every bound.
  bool grew_beyond(u64 millionths) const;
  std::string text() const;
};

std::vector<CostChange> changes(const std::string& test, const Costs& before, const Costs& now);

/// "0.5%", "3%" in millionths. Nothing: it is none.
std::optional<u64> millionths_of_percent(std::string_view text);

}  // namespace reprise::verdict
